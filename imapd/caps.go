package imapd

import "barid/internal/imap"

// offered are the capabilities that are whole. STARTTLS, AUTH=, LOGINDISABLED
// and APPENDLIMIT are the engine's.
const offered = imap.CapRev1 | imap.CapRev2 | imap.CapSASLIR | imap.CapLiteralPlus | imap.CapID | imap.CapEnable |
	imap.CapIdle | imap.CapNamespace | imap.CapUnselect | imap.CapUIDPlus | imap.CapMove | imap.CapCondStore |
	imap.CapQResync | imap.CapListExtended | imap.CapListStatus | imap.CapStatusSize | imap.CapSpecialUse |
	imap.CapCreateSpecialUse | imap.CapChildren | imap.CapBinary | imap.CapMultiAppend | imap.CapReplace |
	imap.CapQuota | imap.CapQuotaStorage | imap.CapQuotaMessage | imap.CapObjectID | imap.CapUnauthenticate |
	imap.CapESearch | imap.CapSearchRes | imap.CapWithin | imap.CapSort | imap.CapSortDisplay | imap.CapESort |
	imap.CapThreadOrderedSubject | imap.CapThreadReferences | imap.CapPartial | imap.CapSaveDate | imap.CapPreview
