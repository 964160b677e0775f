package imapd

import (
	"barid/imapd/proto"
	"barid/internal/imap"
	"barid/internal/loop"
)

// A row says how a command is executed.
type row struct {
	// run executes it. It appends untagged responses to the output of the
	// connection and returns the reply, or a job that goes on.
	run func(s *session, c *loop.Conn) (imap.Reply, job)
	// numbers: messages are named by their numbers, so nobody may tell that some
	// are gone until it is over, unless it came as UID (RFC 9051 7.5.1).
	numbers bool
	// stamps: the reply of a client that keeps mod-sequences tells the highest
	// (RFC 7162 3.2.7).
	stamps bool
}

// rows are the commands that are there, by their verbs.
var rows = [...]row{
	proto.Noop:           {run: (*session).noop},
	proto.Check:          {run: (*session).noop},
	proto.Enable:         {run: (*session).noop},
	proto.ID:             {run: (*session).id},
	proto.Namespace:      {run: (*session).namespace},
	proto.Unauthenticate: {run: (*session).unauthenticate},
	proto.Select:         {run: (*session).selectMailbox},
	proto.Examine:        {run: (*session).selectMailbox},
	proto.CloseMailbox:   {run: (*session).closeMailbox},
	proto.Unselect:       {run: (*session).unselect},
	proto.Append:         {run: (*session).append},
	proto.Replace:        {run: (*session).append, stamps: true},
	proto.Fetch:          {run: (*session).fetch, numbers: true},
	proto.Search:         {run: (*session).search, numbers: true},
	proto.Sort:           {run: (*session).sort, numbers: true},
	proto.Thread:         {run: (*session).thread, numbers: true},
	proto.Store:          {run: (*session).store, numbers: true},
	proto.Copy:           {run: (*session).copy},
	proto.Move:           {run: (*session).copy, stamps: true},
	proto.Expunge:        {run: (*session).expunge, stamps: true},
	proto.Create:         {run: (*session).create},
	proto.Delete:         {run: (*session).delete},
	proto.Rename:         {run: (*session).rename},
	proto.Subscribe:      {run: (*session).subscribe},
	proto.Unsubscribe:    {run: (*session).unsubscribe},
	proto.List:           {run: (*session).list},
	proto.LSUB:           {run: (*session).lsub},
	proto.Status:         {run: (*session).status},
	proto.GetQuota:       {run: (*session).getQuota},
	proto.GetQuotaRoot:   {run: (*session).getQuotaRoot},
}
