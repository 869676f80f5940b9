package cli

import "net/http"

// allResources are all kinds of things that the API lists. The package's
// documentation says how to add to them.
func allResources() []*resource {
	return []*resource{&owners, &partners, &shares, &webhooks, &deadHints, &auditLog, &keys}
}

var owners = resource{
	name: "owners", one: "an owner", args: "OWNER", path: "/v1/owners", item: "/v1/owners/{OWNER}", keys: []string{"name"},
	short: "List and manage owners: the Smartsheet users in whose name sheets are read",
	long:  "List the owners: the Smartsheet users in whose name sheets are read. Their tokens are never shown.",
	empty: "There is no owner yet. Add one: sheetbridge owners add NAME --region us",
	columns: []column{
		{name: "NAME", field: "name"}, {name: "USER", field: "email"}, {name: "REGION", field: "region"}, {name: "KIND", field: "kind"},
		{name: "STATE", field: "state"}, {name: "ADDED", field: "createdAt", format: when},
		{name: "REASON", field: "reason", below: true},
	},
	facts: []column{
		{name: "owner", field: "name"}, {name: "user", field: "email"}, {name: "acts for", field: "assumeUser"},
		{name: "region", field: "region"}, {name: "kind", field: "kind"}, {name: "state", field: "state"}, {name: "reason", field: "reason"},
		{name: "added", field: "createdAt", format: when}, {name: "last used", field: "lastUsed", format: when},
		{name: "requests this minute", field: "requestsThisMinute"}, {name: "token expires", field: "expiresAt", format: when},
		{name: "warnings", field: "warnings"}, {name: "address for consent", field: "authorizeUrl", format: consent},
	},
	actions: []action{
		{
			name: "add", args: "NAME", onList: true, method: http.MethodPost, short: "Add an owner, with a token or by consent", body: newOwner,
			long: "Add a Smartsheet user in whose name sheets are read. The token is read from standard input or a file, never from an\n" +
				"argument. It is tried first; a token that Smartsheet refuses is not stored. With --oauth no token changes hands: the\n" +
				"command prints an address at which the sheet's owner consents.",
			example: "  sheetbridge owners add ops --region eu < token.txt\n  sheetbridge owners add jane --region us --oauth --email jane@a.example",
		},
		{
			name: "token", method: http.MethodPut, path: "/token", short: "Replace an owner's token", body: newToken,
			long: "Replace an owner's token with another one of the same user, read from standard input or a file, never from an argument.\n" +
				"Shares that were suspended because of the old token continue at once.",
			example: "  sheetbridge owners token ops < new-token.txt",
		},
		{
			name: "sheets", method: http.MethodGet, path: "/sheets", short: "List the sheets that an owner can read",
			empty:   "This owner can read no sheet. Share one with its user in Smartsheet.",
			columns: []column{{name: "ID", field: "id"}, {name: "NAME", field: "name"}, {name: "PERMISSION", field: "permission", format: lower}},
		},
		{name: "authorize", method: http.MethodPost, path: "/authorize", short: "Make a new address at which an owner consents"},
		{
			name: "remove", method: http.MethodDelete, short: "Remove an owner that no sheet uses",
			loses: "the token of owner {OWNER}", done: "owner {OWNER} was removed",
		},
	},
}

var partners = resource{
	name: "partners", one: "a partner", args: "PARTNER", path: "/v1/partners", item: "/v1/partners/{PARTNER}", keys: []string{"name"},
	short: "List and manage partners: the companies that receive events",
	long:  "List the partners: the companies that receive events, and where.",
	empty: "There is no partner yet. Add one: sheetbridge partners add NAME",
	columns: []column{
		{name: "NAME", field: "name"}, {name: "NATS", field: "url"}, {name: "SUBJECTS", field: "subjects", wide: true}, {name: "EXTERNAL", field: "external", wide: true},
		{name: "STORAGE", field: "limits.storage"}, {name: "HISTORY", field: "history"}, {name: "ADDED", field: "createdAt", format: when},
	},
	facts: []column{
		{name: "partner", field: "name"}, {name: "nats", field: "url"}, {name: "stream", field: "stream"}, {name: "subjects", field: "subjects"},
		{name: "external", field: "external"}, {name: "added", field: "createdAt", format: when},
		{name: "messages kept per subject", field: "history"}, {name: "deletions kept for", field: "tombstones", format: span},
		{name: "storage", field: "limits.storage"}, {name: "consumers", field: "limits.consumers"},
		{name: "connections", field: "limits.connections"}, {name: "largest request", field: "limits.payload"},
		{name: "connects from", field: "sources"}, {name: "attributes", field: "attributes", format: attributes}, {name: "is told at", field: "contact"},
	},
	actions: []action{
		{name: "add", args: "NAME", onList: true, method: http.MethodPost, short: "Add a partner, and write its first credentials to a file", run: addPartner},
		{name: "change", method: http.MethodPatch, short: "Change a partner's limits, attributes, or how long its stream keeps events", body: newTerms},
		{
			name: "contact", method: http.MethodPut, path: "/contact", short: "Say where a partner is told what concerns it", body: newContact,
			long: "Say where a partner is told what concerns it: its shares ending, suspended and back, its credentials expiring. The address\n" +
				"is read from standard input or a file, since it may have a secret in it. The secret that signs what is sent is made, and\n" +
				"shown only now: give it to the partner.",
			example: "  echo https://hooks.b.example/sheetbridge | sheetbridge partners contact acme",
			facts:   []column{{name: "the partner is told at", field: "host"}, {name: "give it this secret to check signatures with", field: "secret"}},
		},
		{
			name: "remove-contact", method: http.MethodDelete, path: "/contact", short: "Tell a partner nothing any more",
			loses: "the address and the secret of the contact of partner {PARTNER}", done: "partner {PARTNER} is told nothing any more",
		},
		{
			name: "reading", method: http.MethodGet, path: "/reading", short: "Show how far a partner has read, and with what",
			long: "Show how far a partner has read: for each durable consumer, and for each set of credentials that reads without one, up\n" +
				"to which message it was given the stream, and when. What the partner did with it, nobody here can know.",
			facts: []column{
				{name: "partner", field: "partner"}, {name: "stream ends at", field: "last", format: position}, {name: "delivered up to", field: "deliveredTo", format: position},
				{name: "last seen", field: "seenAt", format: orNever}, {name: "unread since", field: "unreadSince", format: when}, {name: "not reading", field: "notReading"},
			},
			columns: []column{
				{name: "CREDENTIALS", field: "credentials"}, {name: "CONSUMER", field: "consumer"}, {name: "DELIVERED UP TO", field: "deliveredTo.sequence"},
				{name: "AT", field: "deliveredTo.time", format: when}, {name: "UNREAD", field: "unread"}, {name: "SEEN", field: "seenAt", format: orNever}, {name: "PRESENT", field: "present"},
			},
			empty: "Nobody has read yet, as far as is known.",
		},
		{
			name: "bundle", method: http.MethodGet, path: "/contract", run: bundlePartner, // and more calls
			short: "Make a folder for a partner's developers: guide, contract, types and an invitation",
		},
		{
			name: "remove", method: http.MethodDelete, short: "Remove a partner with its shares, its account and its stream",
			loses: "the shares, the stream and all credentials of partner {PARTNER}", done: "partner {PARTNER} was removed",
		},
	},
	parts: []*resource{&credentials, &invitations},
}

var invitations = resource{
	name: "invitations", one: "an invitation", args: "PARTNER INVITATION", keys: []string{"id"}, ids: true, fields: map[string]string{"INVITATION": "id"},
	path: "/v1/partners/{PARTNER}/invitations", item: "/v1/partners/{PARTNER}/invitations/{INVITATION}",
	short: "List and manage a partner's invitations: links that give credentials once",
	empty: "Partner {PARTNER} has no invitation. Make one: sheetbridge partners invitations add {PARTNER} NAME",
	columns: []column{
		{name: "ID", field: "id", format: id}, {name: "CREDENTIALS", field: "name"}, {name: "STATE", field: "state"},
		{name: "ADDED", field: "createdAt", format: when}, {name: "EXPIRES", field: "expiresAt", format: when}, {name: "USED", field: "usedAt", format: when},
	},
	actions: []action{
		{
			name: "add", args: "PARTNER NAME", method: http.MethodPost, onList: true, short: "Make a link that gives credentials once", body: newInvitation,
			long: "Make a link that gives a partner credentials of that name, once. Send it to the partner, who opens it in a browser or\n" +
				"with sheetbridge join. The link is shown only now.",
			example: "  sheetbridge partners invitations add acme erp --expires 7d",
			facts:   []column{{name: "send this to the partner", field: "url"}, {name: "it works once, until", field: "expiresAt", format: when}},
		},
		{
			name: "remove", method: http.MethodDelete, short: "Withdraw an invitation",
			loses: "the invitation {INVITATION}", done: "the invitation was withdrawn",
		},
	},
}

var credentials = resource{
	name: "credentials", one: "a set of credentials", args: "PARTNER NAME", keys: []string{"name"},
	path: "/v1/partners/{PARTNER}/credentials", item: "/v1/partners/{PARTNER}/credentials/{NAME}",
	short: "List and manage a partner's credentials",
	empty: "Partner {PARTNER} has no credentials. Make some: sheetbridge partners credentials add {PARTNER} NAME",
	columns: []column{
		{name: "NAME", field: "name"}, {name: "USER", field: "publicKey", format: id}, {name: "ADDED", field: "createdAt", format: when},
		{name: "EXPIRES", field: "expiresAt", format: when}, {name: "OLD UNTIL", field: "overlapUntil", format: when}, {name: "LEAF", field: "leaf"},
	},
	actions: []action{
		{name: "add", method: http.MethodPost, onList: true, short: "Make credentials for a partner, and write them to a file", run: addCredentials},
		{
			name: "remove", method: http.MethodDelete, short: "Revoke credentials of a partner; their connections are closed",
			loses: "the access with credentials {NAME} of {PARTNER}", done: "credentials {NAME} of {PARTNER} were revoked",
		},
	},
}

var shareColumns = []column{
	{name: "SHARE", field: "share"}, {name: "SHEET", field: "webhook.sheetName"}, {name: "OWNER", field: "webhook.owner", wide: true},
	{name: "STATE", field: "state"}, {name: "FIELDS", field: "columns", format: count}, {name: "KINDS", field: "kinds", wide: true}, {name: "LOADED", field: "progress", format: progress, wide: true},
	{name: "REVISION", field: "revision", wide: true}, {name: "COMPLETE TO", field: "completeTo", format: completeTo},
	{name: "REASON", field: "reason", below: true},
}

var webhooks = resource{
	name: "webhooks", one: "a webhook", args: "WEBHOOK", path: "/v1/webhooks", item: "/v1/webhooks/{WEBHOOK}",
	keys: []string{"id", "sheetId"}, ids: true, fields: map[string]string{"WEBHOOK": "id"},
	short: "List and manage the registered sheets and their webhooks at Smartsheet",
	long:  "List the registered sheets, each with its webhook at Smartsheet. A webhook is named by its id or the sheet's id, or the\nbeginning of either.",
	empty: "No sheet is registered yet. Share one: sheetbridge shares add PARTNER --owner OWNER --sheet-id ID --column TITLE",
	columns: []column{
		{name: "ID", field: "id", format: id}, {name: "SHEET", field: "sheetName"}, {name: "SHEET ID", field: "sheetId", wide: true}, {name: "OWNER", field: "owner"},
		{name: "STATUS", field: "status"}, {name: "SHARES", field: "shares", format: count}, {name: "WAITING", field: "backlog"},
		{name: "VERSION", field: "sheetVersion"}, {name: "CALLED", field: "lastCallback", format: when}, {name: "REASON", field: "reason", below: true},
	},
	facts: []column{
		{name: "webhook", field: "id"}, {name: "sheet", field: "sheetName"}, {name: "sheet id", field: "sheetId"}, {name: "owner", field: "owner"},
		{name: "status", field: "status"}, {name: "reason", field: "reason"}, {name: "id at smartsheet", field: "webhookId"},
		{name: "callback address", field: "callbackUrl", format: withoutKey}, {name: "added", field: "createdAt", format: when},
		{name: "last callback", field: "lastCallback", format: when}, {name: "complete at", field: "lastReconcile", format: when},
		{name: "sheet version", field: "sheetVersion"}, {name: "hints waiting", field: "backlog"}, {name: "warnings", field: "warnings"},
	},
	tables: []table{{"shares", []column{
		{name: "PARTNER", field: "partner"}, {name: "NAME", field: "sheet"}, {name: "STATE", field: "state"}, {name: "FIELDS", field: "columns", format: count},
		{name: "KINDS", field: "kinds"}, {name: "COMPLETE TO", field: "completeTo", format: completeTo}, {name: "REASON", field: "reason", below: true},
	}}},
	actions: []action{
		{name: "reconcile", method: http.MethodPost, path: "/reconcile", short: "Compare the whole sheet with the partners' streams now", done: "the whole sheet is being compared"},
		{name: "enable", method: http.MethodPost, path: "/enable", short: "Check the webhook at Smartsheet now, and enable it if it is disabled", done: "the webhook is being checked"},
		{
			name: "rotate-secret", method: http.MethodPost, path: "/rotate-secret", short: "Replace the secret that Smartsheet signs callbacks with",
			waitsFor: "Smartsheet to replace the secret", done: "the secret was replaced; the old one is accepted for one more hour",
		},
		{name: "remove", method: http.MethodDelete, run: removeWebhook, short: "End all shares of a sheet and delete its webhook",
			loses: "all shares of webhook {WEBHOOK}, and the events published of them"},
	},
}

var shares = resource{
	name: "shares", one: "a share", args: "PARTNER/SHEET", path: "/v1/webhooks", item: "/v1/webhooks/{WEBHOOK}/shares/{PARTNER}/{SHEET}",
	keys: []string{"share"}, fields: map[string]string{"WEBHOOK": "webhook.id", "PARTNER": "partner", "SHEET": "sheet"}, flatten: sharesOf, filter: "partner",
	short:   "List and manage shares: what each partner may see of a sheet",
	long:    "List the shares: what each partner may see of a sheet, and how far the partner's stream is complete. A share is named\nPARTNER/SHEET, where SHEET is the partner's name for the sheet.",
	empty:   "Nothing is shared yet. Share a sheet: sheetbridge shares add PARTNER --owner OWNER --sheet-id ID --column TITLE",
	columns: shareColumns,
	facts: []column{
		{name: "share", field: "share"}, {name: "sheet", field: "webhook.sheetName"}, {name: "subjects", field: "subjects"}, {name: "state", field: "state"}, {name: "reason", field: "reason"},
		{name: "complete to", field: "completeTo", format: completeTo}, {name: "loaded", field: "progress", format: progress}, {name: "revision", field: "revision"}, {name: "kinds", field: "kinds"}, {name: "where", field: "where"}, {name: "the partner's attributes", field: "attributes", format: attributes},
		{name: "until", field: "until", format: when},
	},
	tables: []table{{"columns", []column{
		{name: "FIELD", field: "as"}, {name: "COLUMN", field: "title"}, {name: "TYPE", field: "type"}, {name: "MASK", field: "mask"}, {name: "COLUMN ID", field: "columnId"},
	}}},
	actions: []action{
		{name: "add", run: addShare, method: http.MethodPost, onList: true, args: "PARTNER", short: "Share columns and rows of a sheet with a partner"},
		{name: "change", run: changeShare, method: http.MethodPut, short: "Change what a share shows"},
		{
			name: "resend", method: http.MethodPost, path: "/resend", short: "Publish a share again from the beginning", loads: true,
			loses: "the history of {PARTNER}/{SHEET}; every row is sent to the partner again", done: "share {PARTNER}/{SHEET} is being published again",
		},
		{
			name: "erase", method: http.MethodPost, path: "/erase", short: "Take one row and its history out of the partner's stream", body: eraseRow,
			long: "Take one row, its history and what hangs on it out of the partner's stream. It stays away until it changes at\n" +
				"Smartsheet. What the partner has read cannot be recalled.",
			example: "  sheetbridge shares erase acme/orders --row 7129509179746180",
			loses:   "the row and its history in {PARTNER}/{SHEET}", done: "the row is being removed from {PARTNER}/{SHEET}",
		},
		{
			name: "remove", method: http.MethodDelete, short: "End a share, and remove what was published of it",
			loses: "share {PARTNER}/{SHEET} and the events published of it", done: "share {PARTNER}/{SHEET} was ended",
		},
	},
}

var deadHints = resource{
	name: "dead", one: "a hint that was given up", args: "ID", path: "/v1/dead", item: "/v1/dead/{ID}", limit: 100, keys: []string{"id"}, ids: true, fields: map[string]string{"ID": "id"},
	short: "List hints that were given up, and try them again",
	long:  "List the hints that were given up, newest first, each with its reason. A hint says that rows of a sheet may have changed.\nThe next reconcile finds what they were about as well.",
	empty: "No hint was given up.",
	columns: []column{
		{name: "ID", field: "id"}, {name: "GIVEN UP", field: "at", format: when}, {name: "WEBHOOK", field: "webhook", format: id}, {name: "FROM", field: "why"},
		{name: "ROWS", field: "about"}, {name: "PASSES", field: "attempts"}, {name: "REASON", field: "reason", below: true},
	},
	facts: []column{
		{name: "hint", field: "id"}, {name: "webhook", field: "webhook"}, {name: "given up", field: "at", format: when}, {name: "reason", field: "reason"},
		{name: "from", field: "why"}, {name: "passes", field: "attempts"}, {name: "number of rows", field: "about"}, {name: "rows", field: "rows"},
	},
	flatten: deadOf,
	actions: []action{{name: "retry", args: "ID | --all", method: http.MethodPost, path: "/retry", short: "Try hints again that were given up", run: retryDead}},
}

var auditLog = resource{
	name: "audit", one: "an entry", path: "/v1/audit", limit: 50, keys: []string{"sequence"},
	short: "List who did what, and verify that the list is whole",
	long:  "List who did what, newest first.",
	empty: "The audit log is empty.",
	columns: []column{
		{name: "NO", field: "sequence"}, {name: "AT", field: "at", format: when}, {name: "WHO", field: "who"}, {name: "OUTCOME", field: "outcome"},
		{name: "WHAT", field: "what"}, {name: "ON", field: "on"}, {name: "CLIENT", field: "client", wide: true}, {name: "DETAILS", field: "details", wide: true},
	},
	actions: []action{{name: "verify", method: http.MethodGet, path: "/verify", onList: true, short: "Check that no entry was changed, left out or inserted", run: verifyAudit}},
}

var keyColumns = []column{{name: "KEY", field: "id"}, {name: "STATE", field: "state"}, {name: "VALUES SEALED", field: "sealed", format: number}}

var keys = resource{
	name: "keys", one: "a key", path: "/v1/keys", keys: []string{"id"}, columns: keyColumns,
	short: "List the keys that seal stored secrets, and replace them",
	long:  "List the keys under which the stored tokens, secrets and seeds are sealed.",
	actions: []action{
		{
			name: "rotate", method: http.MethodPost, path: "/rotate", onList: true, short: "Replace the key while the service runs",
			facts: []column{{name: "records sealed again", field: "resealed"}, {name: "replicas with the new key", field: "replicas"}}, columns: keyColumns,
			waitsFor: "every replica to have the new key, and every record to be sealed again",
			long: "Replace the key: add a new one, wait until every replica has it, seal everything with it, and disable the old one.\n" +
				"The service runs on. After a failure the same command continues. The master key stays as it is.",
		},
		{
			name: "rotate-master", method: http.MethodPost, path: "/rotate-master", onList: true, short: "Bring everything under a new master key",
			waitsFor: "every replica to have both keys", facts: []column{{name: "replicas under the new master key", field: "replicas"}, {name: "next", field: "next"}},
			long: "Bring everything under a new master key. First start every replica with the new key as " + Prefix + "_MASTER_KEY (or …_FILE)\n" +
				"and the old one as " + Prefix + "_MASTER_KEY_OLD (or …_FILE): an embedded NATS brings its store under the new key then.\n" +
				"This command waits until every replica has both keys, and seals the keyset under the new one. After a failure the same\n" +
				"command continues; until it has succeeded, both keys are needed.",
		},
	},
}
