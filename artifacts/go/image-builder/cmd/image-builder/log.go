package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

type logger struct {
	start  time.Time
	least  int
	format string
	times  bool
}

var log = &logger{}

var levels = map[string]int{"trace": 0, "debug": 1, "info": 2, "warn": 3, "warning": 3, "error": 4, "fatal": 5, "panic": 6}

func (l *logger) begin(o *options) {
	least, known := levels[o.verbosity]
	if !known {
		least = levels["info"]
	}
	*l = logger{start: time.Now(), least: least, format: o.logFormat, times: o.logTimes}
}

// write gives a line the form that Kaniko's have.
func (l *logger) write(level, colour, format string, values ...any) {
	if levels[level] < l.least {
		return
	}
	text := fmt.Sprintf(format, values...)
	at := fmt.Sprintf("%04d", int(time.Since(l.start).Seconds()))
	if l.times {
		at = time.Now().UTC().Format(time.RFC3339)
	}
	short := map[string]string{"debug": "DEBU", "info": "INFO", "warn": "WARN"}[level]
	switch l.format {
	case "json":
		line, _ := json.Marshal(map[string]string{"level": level, "msg": text, "time": time.Now().UTC().Format(time.RFC3339)})
		fmt.Fprintln(os.Stderr, string(line))
	case "text":
		fmt.Fprintf(os.Stderr, "time=%q level=%s msg=%q\n", time.Now().UTC().Format(time.RFC3339), level, text)
	default:
		fmt.Fprintf(os.Stderr, "\x1b[%sm%s\x1b[0m[%s] %s\n", colour, short, at, text)
	}
}

func (l *logger) debug(format string, values ...any) { l.write("debug", "37", format, values...) }
func (l *logger) info(format string, values ...any)  { l.write("info", "36", format, values...) }
func (l *logger) warn(format string, values ...any)  { l.write("warn", "33", format, values...) }
