// Package partner holds the bridge's connections to the partners' streams, knows
// which partner cannot be published to and why, and removes from the streams what
// the bridge did not publish and what has been deleted for long enough. It lets
// partners in: credentials are made, replaced and revoked here, and invitations by
// which a partner gets them without a secret passing through anybody's hands.
package partner
