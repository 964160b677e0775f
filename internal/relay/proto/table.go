package proto

// A Stage is a place in the conversation: the command whose reply is awaited,
// or which a reply has answered. RFC 5321 4.5.3.2 has a time-out for each.
type Stage uint8

// The stages.
const (
	AtNothing  Stage = iota // no command: between transactions, or before one was sent
	AtGreeting              // the connection itself
	AtHello                 // EHLO, HELO, LHLO
	AtTLS                   // STARTTLS and the handshake
	AtAuth                  // AUTH
	AtMail                  // MAIL
	AtRcpt                  // RCPT
	AtData                  // DATA, before the body
	AtBody                  // the octets of the body, and BDAT but the last
	AtEnd                   // the end of the body: CRLF "." CRLF, or BDAT LAST
	AtReset                 // RSET
	AtQuit                  // QUIT
)

var stageNames = [...]string{"", "the connection", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "the body", "the end of the message", "RSET", "QUIT"}

// String names the stage for people: what stands behind "in reply to". It is
// empty for AtNothing.
func (s Stage) String() string { return stageNames[s] }

// A state is where a connection stands.
type state uint8

const (
	greetState     state = iota // connected
	helloState                  // EHLO or LHLO sent
	heloState                   // HELO sent
	tlsState                    // STARTTLS sent
	handshakeState              // STARTTLS accepted
	plainState                  // AUTH PLAIN sent
	loginState                  // AUTH LOGIN sent
	userState                   // the user name of LOGIN sent
	passwordState               // the password of LOGIN sent
	readyState                  // between transactions
	mailState                   // MAIL sent, and perhaps more
	rcptState                   // MAIL answered
	dataState                   // every RCPT answered
	bodyState                   // 354: the body is being sent
	chunkState                  // the body is being sent in chunks
	waitState                   // a chunk sent
	endState                    // the end of the body sent
	dotState                    // an empty body sent, because nobody is there to get one
	dirtyState                  // the transaction is over, but the server has not been told
	resetState                  // RSET sent
	quitState                   // QUIT sent
	closed                      // nothing more is read or sent
)

// A row says of a state what is awaited in it, what the owner has to do
// meanwhile, and from which states it is entered.
type row struct {
	awaits Stage
	need   Next
	from   states
}

// A states is a set of states.
type states uint32

func set(all ...state) (s states) {
	for _, st := range all {
		s |= 1 << st
	}
	return s
}

var (
	idle  = set(readyState, dirtyState)
	login = set(plainState, loginState, userState, passwordState)
	// In these the commands before the body are answered one by one.
	envelope = set(mailState, rcptState, dataState)
	anything = ^states(0)
)

// rows is the order of the conversation.
var rows = [...]row{
	greetState:     {AtGreeting, NeedInput, 0},
	helloState:     {AtHello, NeedInput, set(greetState, handshakeState)},
	heloState:      {AtHello, NeedInput, set(helloState)},
	tlsState:       {AtTLS, NeedInput, set(helloState)},
	handshakeState: {AtTLS, StartTLS, set(tlsState)},
	plainState:     {AtAuth, NeedInput, set(helloState, tlsState)},
	loginState:     {AtAuth, NeedInput, set(helloState, tlsState)},
	userState:      {AtAuth, NeedInput, set(loginState)},
	passwordState:  {AtAuth, NeedInput, set(userState)},
	readyState:     {AtNothing, Ready, login | envelope | set(helloState, heloState, tlsState, readyState, resetState, endState, dotState)},
	mailState:      {AtMail, NeedInput, set(readyState)},
	rcptState:      {AtRcpt, NeedInput, set(mailState)},
	dataState:      {AtData, NeedInput, set(rcptState)},
	bodyState:      {AtBody, SendBody, set(dataState)},
	chunkState:     {AtBody, SendBody, set(dataState, waitState)},
	waitState:      {AtBody, NeedInput, set(chunkState)},
	endState:       {AtEnd, NeedInput, set(bodyState, chunkState)},
	dotState:       {AtEnd, NeedInput, set(dataState)},
	dirtyState:     {AtNothing, NeedInput, envelope | set(waitState, endState)},
	resetState:     {AtReset, NeedInput, set(dirtyState)},
	quitState:      {AtQuit, NeedInput, anything &^ set(closed)},
	closed:         {AtNothing, Close, anything},
}

func (s state) in(all states) bool { return all>>s&1 != 0 }

// become is the only assignment of a state.
func (c *Client) become(s state) {
	if !c.state.in(rows[s].from) {
		panic("proto: the conversation has no such turn")
	}
	c.state = s
}
