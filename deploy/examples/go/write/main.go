// Command write asks for a change of a sheet and prints the answer:
//
//	write write.acme.orders.erp '{"id":"po-4711","op":"update","row":"7129509179746180","expect":{"status":"Open"},"set":{"status":"Done"}}'
//
// Run it again, with the same id, when no answer came: the change is made once.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: write write.<partner>.<sheet>.<name of the credentials> <request>")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 16*time.Minute) // a request is good for 15 minutes unless it has `until`
	defer cancel()
	answer, err := write(ctx, os.Args[1], []byte(os.Args[2]))
	if err != nil {
		log.Fatalf("%v: it may be done or not; ask again with the same id", err)
	}
	fmt.Println(string(answer))
	var event struct{ Data struct{ Result string } }
	if err := json.Unmarshal(answer, &event); err != nil || event.Data.Result == "refused" {
		os.Exit(4) // nothing was changed; `code` says why
	}
}

// write publishes a request and waits for its answer.
func write(ctx context.Context, subject string, request []byte) ([]byte, error) {
	var body struct{ ID string }
	names := strings.Split(subject, ".")
	if err := json.Unmarshal(request, &body); err != nil || body.ID == "" || len(names) != 4 {
		return nil, errors.New("want a subject of four names, and a request that is JSON with an id")
	}
	nc, err := nats.Connect(os.Getenv("NATS_URL"), nats.UserCredentials(os.Getenv("NATS_CREDS")), nats.MaxReconnects(-1),
		nats.Timeout(20*time.Second)) // of the first connection, which is not tried again
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	stream, err := js.Stream(ctx, "EVENTS")
	if err != nil {
		return nil, err
	}
	_, err = js.Publish(ctx, subject, request, jetstream.WithRetryAttempts(40)) // for 10 seconds: a share that was just made takes none yet
	if err != nil {                                                             // else it is stored, no more
		return nil, err
	}
	answers, err := js.OrderedConsumer(ctx, "EVENTS", jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"smartsheet." + names[1] + "." + names[2] + ".write." + body.ID},
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy, OptStartSeq: stream.CachedInfo().State.LastSeq + 1, // not an earlier answer
	})
	if err != nil {
		return nil, err
	}
	messages, err := answers.Messages()
	if err != nil {
		return nil, err
	}
	defer messages.Stop()
	m, err := messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return nil, err
	}
	return m.Data(), nil
}
