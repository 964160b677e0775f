package imap

// Caps is a set of capabilities.
type Caps uint64

// The capabilities, in the order in which they are shown. STARTTLS, AUTH=,
// LOGINDISABLED and APPENDLIMIT depend on more than the software and are the
// session's.
const (
	CapRev1                 Caps = 1 << iota // RFC 3501
	CapRev2                                  // RFC 9051
	CapSASLIR                                // RFC 4959
	CapLiteralPlus                           // RFC 7888
	CapLiteralMinus                          // RFC 7888
	CapID                                    // RFC 2971
	CapEnable                                // RFC 5161
	CapIdle                                  // RFC 2177
	CapNamespace                             // RFC 2342
	CapUnselect                              // RFC 3691
	CapUIDPlus                               // RFC 4315
	CapMove                                  // RFC 6851
	CapESearch                               // RFC 4731
	CapSearchRes                             // RFC 5182
	CapCondStore                             // RFC 7162
	CapQResync                               // RFC 7162
	CapListExtended                          // RFC 5258
	CapListStatus                            // RFC 5819
	CapStatusSize                            // RFC 8438
	CapSpecialUse                            // RFC 6154
	CapCreateSpecialUse                      // RFC 6154
	CapChildren                              // RFC 3348
	CapBinary                                // RFC 3516
	CapMultiAppend                           // RFC 3502
	CapCatenate                              // RFC 4469
	CapReplace                               // RFC 8508
	CapSort                                  // RFC 5256
	CapSortDisplay                           // RFC 5957
	CapThreadOrderedSubject                  // RFC 5256
	CapThreadReferences                      // RFC 5256
	CapWithin                                // RFC 5032
	CapPartial                               // RFC 9394
	CapESort                                 // RFC 5267
	CapContextSearch                         // RFC 5267
	CapCompressDeflate                       // RFC 4978
	CapQuota                                 // RFC 9208
	CapQuotaStorage                          // RFC 9208
	CapQuotaMessage                          // RFC 9208
	CapQuotaSet                              // RFC 9208
	CapObjectID                              // RFC 8474
	CapSaveDate                              // RFC 8514
	CapPreview                               // RFC 8970
	CapMetadata                              // RFC 5464
	CapMetadataServer                        // RFC 5464
	CapNotify                                // RFC 5465
	CapACL                                   // RFC 4314
	CapUTF8Accept                            // RFC 6855
	CapInProgress                            // RFC 9585
	CapUIDOnly                               // RFC 9586
	CapUnauthenticate                        // RFC 8437
	capEnd
)

// capNames are the capabilities as they are written, by their bits.
var capNames = [...]string{
	"IMAP4rev1", "IMAP4rev2", "SASL-IR", "LITERAL+", "LITERAL-", "ID", "ENABLE", "IDLE", "NAMESPACE", "UNSELECT",
	"UIDPLUS", "MOVE", "ESEARCH", "SEARCHRES", "CONDSTORE", "QRESYNC", "LIST-EXTENDED", "LIST-STATUS",
	"STATUS=SIZE", "SPECIAL-USE", "CREATE-SPECIAL-USE", "CHILDREN", "BINARY", "MULTIAPPEND", "CATENATE", "REPLACE",
	"SORT", "SORT=DISPLAY", "THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES", "WITHIN", "PARTIAL", "ESORT",
	"CONTEXT=SEARCH", "COMPRESS=DEFLATE", "QUOTA", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE", "QUOTASET", "OBJECTID",
	"SAVEDATE", "PREVIEW", "METADATA", "METADATA-SERVER", "NOTIFY", "ACL RIGHTS=texk", "UTF8=ACCEPT",
	"INPROGRESS", "UIDONLY", "UNAUTHENTICATE",
}

// CapsOfRev2 is what IMAP4rev2 has in it (RFC 9051 appendix E), as far as it is
// syntax of commands.
const CapsOfRev2 = CapNamespace | CapUnselect | CapUIDPlus | CapESearch | CapSearchRes | CapEnable | CapIdle |
	CapSASLIR | CapListExtended | CapListStatus | CapMove | CapLiteralMinus | CapBinary | CapSpecialUse | CapStatusSize | CapChildren

// Has reports whether all of want are in c.
func (c Caps) Has(want Caps) bool { return c&want == want }

// Any reports whether one of want is in c.
func (c Caps) Any(want Caps) bool { return c&want != 0 }

// Understood is c with everything that one of its members has in it.
func (c Caps) Understood() Caps {
	if c.Has(CapRev2) {
		c |= CapsOfRev2
	}
	if c.Has(CapQResync) {
		c |= CapCondStore
	}
	return c
}

// Append appends the names of c, with a space before each.
func (c Caps) Append(out []byte) []byte {
	for i, name := range capNames {
		if c&(1<<i) != 0 {
			out = append(out, ' ')
			out = append(out, name...)
		}
	}
	return out
}

// Enabled is a set of what a client can switch on with ENABLE or by using it
// (RFC 5161).
type Enabled uint8

// What can be enabled.
const (
	EnabledCondStore Enabled = 1 << iota // RFC 7162 section 3.1
	EnabledQResync                       // RFC 7162 section 3.2.3; with it EnabledCondStore
	EnabledUTF8                          // UTF8=ACCEPT, RFC 6855 section 3
	EnabledRev2                          // IMAP4rev2, RFC 9051 section 6.3.1
	EnabledUIDOnly                       // RFC 9586
)

// enableNames are what ENABLE understands, with the capability that is needed.
var enableNames = [...]struct {
	name string
	need Caps
	on   Enabled
}{
	{"CONDSTORE", CapCondStore, EnabledCondStore},
	{"QRESYNC", CapQResync, EnabledQResync | EnabledCondStore},
	{"UTF8=ACCEPT", CapUTF8Accept, EnabledUTF8},
	{"IMAP4REV2", CapRev2, EnabledRev2},
	{"UIDONLY", CapUIDOnly, EnabledUIDOnly},
}

// Has reports whether all of want are in e.
func (e Enabled) Has(want Enabled) bool { return e&want == want }

// UTF8 reports whether strings and names are in UTF-8 for this client. The
// appenders that make a difference take it as their argument.
func (e Enabled) UTF8() bool { return e&(EnabledUTF8|EnabledRev2) != 0 }

// EnabledBy returns what a name in ENABLE switches on where caps are offered,
// and 0 when it is to be ignored.
func EnabledBy(name []byte, caps Caps) Enabled {
	for _, row := range enableNames {
		if EqualFold(name, row.name) && caps.Has(row.need) {
			return row.on
		}
	}
	return 0
}

// AppendEnabled appends an ENABLED response about what ENABLE has asked for,
// also where it was on already (RFC 9051 7.2.1).
func AppendEnabled(out []byte, e Enabled) []byte {
	out = append(out, "* ENABLED"...)
	for _, row := range enableNames {
		if !e.Has(row.on) {
			continue
		}
		out = append(out, ' ')
		if row.on == EnabledRev2 {
			out = append(out, "IMAP4rev2"...)
		} else {
			out = append(out, row.name...)
		}
	}
	return append(out, "\r\n"...)
}
