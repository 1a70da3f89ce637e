// Command pg-archive keeps a PostgreSQL's log and base backups in a bucket, so that it can be brought back to any time in between.
//
//	pg-archive                     follows the database, and takes base backups
//	pg-archive flush               lets what is committed be in the bucket; prints up to when all is there
//	pg-archive close               the same, and begins anew with the next connection: the database will have another history
//	pg-archive points              prints what can be gone back to, as JSON
//	pg-archive base SET BASE       writes a base backup to stdout, as tar
//	pg-archive log SET BASE TIME   writes the log from that base backup until TIME (RFC 3339) to stdout, as tar
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	given, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	if len(args) == 1 && (args[0] == "flush" || args[0] == "close") {
		return tell(ctx, given, args[0])
	}
	objects, err := openStore(given)
	if err != nil {
		return err
	}
	switch {
	case len(args) == 0:
		return serve(ctx, given, objects)
	case len(args) == 1 && args[0] == "points":
		found, err := points(ctx, objects)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(found)
	case len(args) == 3 && args[0] == "base":
		return writeBase(ctx, objects, args[1], args[2], os.Stdout)
	case len(args) == 4 && args[0] == "log":
		until, err := time.Parse(time.RFC3339Nano, args[3])
		if err != nil {
			return fmt.Errorf("%q is no time: expected one like 2026-11-30T15:04:05Z", args[3])
		}
		return writeLog(ctx, objects, args[1], args[2], until, os.Stdout)
	}
	return errors.New("expected: flush, close, points, base SET BASE, log SET BASE TIME, or nothing")
}

func serve(ctx context.Context, given settings, objects *store) error {
	state := newState()
	failed := make(chan error, 1)
	if err := answer(ctx, given, state, failed); err != nil {
		return err
	}
	follower := &follower{given: given, store: objects, state: state}
	keeper := &keeper{given: given, store: objects, state: state}
	go keeper.run(ctx)
	go follower.run(ctx)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}
