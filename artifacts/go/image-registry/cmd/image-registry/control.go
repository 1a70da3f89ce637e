package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// question is what a command asks the serving process, as one line of JSON; answer is what it is told.
type question struct {
	GraceSeconds float64 `json:"graceSeconds"`
}

type answer struct {
	Report report `json:"report"`
	Error  string `json:"error,omitempty"`
}

// listen answers the command `collect`, on a socket that only this user reaches.
func (c *collector) listen() error {
	if err := os.Remove(c.given.socket); err != nil && !gone(err) {
		return err
	}
	listener, err := net.Listen("unix", c.given.socket)
	if err != nil {
		return err
	}
	if err := os.Chmod(c.given.socket, 0o600); err != nil {
		return err
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go c.reply(connection)
		}
	}()
	return nil
}

func (c *collector) reply(connection net.Conn) {
	defer connection.Close()
	var asked question
	_ = connection.SetReadDeadline(time.Now().Add(10 * time.Second))
	if json.NewDecoder(connection).Decode(&asked) != nil || asked.GraceSeconds <= 0 {
		return
	}
	var said answer
	done, err := c.collect(time.Duration(asked.GraceSeconds * float64(time.Second)))
	said.Report = done
	if err != nil {
		said.Error = err.Error()
	}
	_ = json.NewEncoder(connection).Encode(said)
}

// askToCollect has the serving process collect, and prints what it did.
func askToCollect(given settings, grace time.Duration) error {
	connection, err := net.Dial("unix", given.socket)
	if err != nil {
		return fmt.Errorf("no registry serves here: %w", err)
	}
	defer connection.Close()
	if err := json.NewEncoder(connection).Encode(question{grace.Seconds()}); err != nil {
		return err
	}
	var said answer
	if err := json.NewDecoder(connection).Decode(&said); err != nil {
		return fmt.Errorf("the registry ended before it answered: %w", err)
	}
	if said.Error != "" {
		return errors.New(said.Error)
	}
	return json.NewEncoder(os.Stdout).Encode(said.Report)
}
