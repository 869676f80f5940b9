// Package owner acts for the users of Company A in whose name Smartsheet is
// asked: [Access] makes clients that keep within each token's budget, [OAuth]
// asks users for their consent and renews its tokens, and [Owners] keeps tokens
// alive.
package owner
