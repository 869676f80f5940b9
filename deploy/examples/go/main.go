// Command go reads the sheets as they are, then follows them. Killed and
// started again it goes on where it was.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	nc := must(nats.Connect(os.Getenv("NATS_URL"), nats.UserCredentials(os.Getenv("NATS_CREDS")), nats.MaxReconnects(-1)))
	js := must(jetstream.New(nc))
	consumer := must(js.CreateOrUpdateConsumer(context.Background(), "EVENTS", jetstream.ConsumerConfig{
		Durable: "erp-go", FilterSubject: ">", DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		MaxAckPending: 1, // one at a time: in order, whenever we are killed
		AckWait:       5e9}))
	must(consumer.Consume(func(m jetstream.Msg) {
		fmt.Println(m.Subject(), string(m.Data())) // one subject is one object: `after` is its state, null is gone
		_ = m.Ack()                                // once it is stored with you; if this is lost, the event comes again
	}))
	select {}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
