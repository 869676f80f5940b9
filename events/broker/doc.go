// Package broker runs the NATS server that is part of the bridge, and knows
// the accounts and credentials in it.
//
// The server runs in operator mode: the bridge is the operator. It has one
// account of its own, for what it remembers, and makes one for each partner.
// The wall between partners is the server's: a user sees its account alone.
//
//	b, err := broker.Start(ctx, broker.Options{Dir: "data/nats", Master: key, Listen: "127.0.0.1:4222"})
//	a, err := broker.NewAccount("acme")          // the caller seals and stores its seeds
//	err = b.PutAccount(ctx, "acme", a)           // now, and at each start
//	nc, err := b.Connect(ctx, "acme", a)         // the bridge in the partner's account
//	creds, user, err := a.MintUser("erp", time.Time{})
//
// Where NATS is somewhere else, Dial connects and checks what it finds.
//
// In the directory are the lock, the sealed keys of the operator, the accounts'
// claims, which name partners but hold no secret, and the encrypted store.
package broker
