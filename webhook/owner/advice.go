package owner

import (
	"errors"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// advice says what the administrator of Company A does about an error of
// Smartsheet that is about who asks.
var advice = map[int]string{
	1001: "No token reached Smartsheet: give it again",
	1002: "The token is unknown there: it was revoked, is cut off, or belongs to an account in another region. Make a new one in Smartsheet under Account > Personal Settings > API Access, and name the region that the account lives in (us, eu, au or gov)",
	1003: "The token has run out: make a new one in Smartsheet under Account > Personal Settings > API Access",
	1004: "The user may not do this: the sheet is not shared with the user, or the consent does not cover it",
	1005: "The organisation wants single sign-on: have the user log in once through it and make the token then, or have an administrator allow API access for the user",
	1013: "The user has no licence, or the plan has no API: API tokens are for licensed users of a Business, Enterprise or Advanced Work Management plan. Have a System Admin give the user a licence in the Admin Center (User Management), or let another user who is licensed and sees the sheet be the owner",
	1014: "The account has no licence left: have a System Admin free one, or let another user who is licensed be the owner",
	1030: "The user cannot be assumed: the token must be a System Admin's, made by hand (not by a consent), and assumeUser the primary e-mail address of an active user of the same account who is no administrator. For an administrator use that person's own token",
	1044: "This token works only for acting as another user: name that user as assumeUser",
	1067: "SHEETBRIDGE_OAUTH_CLIENT_ID is not known to Smartsheet: take it from the app's page in Developer Tools, in the same region",
	1069: "The consent took longer than ten minutes to come back: ask for a new address",
	1071: "The consent's code was used before or is not known: ask for a new address",
	1072: "SHEETBRIDGE_OAUTH_CLIENT_SECRET is not the secret of this app: take it from the app's page in Developer Tools",
	1073: "The app's redirect URL at Smartsheet must be SHEETBRIDGE_PUBLIC_URL followed by /oauth/callback: change it in Developer Tools",
	1132: "The user withdrew the consent: ask for it again with POST /v1/owners/{name}/authorize",
	1140: "The user has no licence: have a System Admin give one in the Admin Center (User Management)",
	1188: "The user's account is not active: have a System Admin reactivate it, or let another user be the owner",
	1238: "SHEETBRIDGE_OAUTH_CLIENT_SECRET is not the secret of this app: take it from the app's page in Developer Tools",
	1269: "Smartsheet wants the user's groups handed to somebody else first: a System Admin does so in the Admin Center",
	1270: "The administrator may not act for the owner of this sheet, who is an administrator too: use that person's own token",
	1271: "The administrator may not act for this user, who is an administrator too or belongs to another plan: use that person's own token, or a consent",
	1272: "assumeUser is no address that Smartsheet understands: give the user's primary e-mail address",
	1273: "Smartsheet got two ways at once to act for another user: remove the proxy that adds a header to our requests",
	1274: "The administrator cannot act for the owner of this object: use the owner's own token, or a consent",
	1275: "Acting for other users is not enabled in this account: have Smartsheet's support or a System Admin enable it, or use the user's own token or a consent",
	1361: "The organisation's single sign-on policy forbids it: have the workspace's administrator allow this user, or choose a user who logs in through single sign-on",
	1362: "The organisation's multi-factor policy forbids it: have the user set up multi-factor login, or the workspace's administrator make an exception",
	1363: "The organisation's Data Egress Policy forbids to read the data from outside: a System Admin can make an exception for this user in the Admin Center (Security & Controls)",
}

// Advice says in an administrator's words what to do about a refusal of
// Smartsheet; it is empty for what is not about tokens and users.
func Advice(err error) string {
	var e *smartsheet.Error
	if !errors.As(err, &e) {
		return ""
	}
	return advice[e.Code]
}
