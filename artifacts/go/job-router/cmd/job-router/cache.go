package main

import (
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// cache keeps answers for a while, so many at most. Of several that ask the same at once, one asks.
type cache[T any] struct {
	most  int
	mutex sync.Mutex
	known map[string]kept[T]
	group singleflight.Group
}

type kept[T any] struct {
	value T
	at    time.Time
	until time.Time
}

func newCache[T any](most int) *cache[T] {
	return &cache[T]{most: most, known: make(map[string]kept[T])}
}

// get answers what is known, or asks. Where nobody can be asked, what was known up to `stale` after its end is still answered.
func (c *cache[T]) get(key string, stale time.Duration, ask func() (T, time.Duration, error)) (T, error) {
	now := time.Now()
	c.mutex.Lock()
	before, known := c.known[key]
	c.mutex.Unlock()
	if known && now.Before(before.until) {
		return before.value, nil
	}
	found, err, _ := c.group.Do(key, func() (any, error) {
		value, lasts, err := ask()
		if err == nil && lasts > 0 {
			c.put(key, value, lasts)
		}
		return value, err
	})
	if err != nil && known && now.Before(before.until.Add(stale)) {
		return before.value, nil
	}
	value, _ := found.(T)
	return value, err
}

func (c *cache[T]) put(key string, value T, lasts time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	now := time.Now()
	if len(c.known) >= c.most {
		for other, one := range c.known {
			if len(c.known) >= c.most/2 && (now.After(one.until) || len(c.known) >= c.most) {
				delete(c.known, other)
			}
		}
	}
	c.known[key] = kept[T]{value, now, now.Add(lasts)}
}

// drop ends what is known of some, at once and for good.
func (c *cache[T]) drop(of func(T) bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for key, one := range c.known {
		if of(one.value) {
			delete(c.known, key)
		}
	}
}

// doubt has all asked again: each answer is good for `lasts` at most from now on.
func (c *cache[T]) doubt(lasts time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	limit := time.Now().Add(lasts)
	for key, one := range c.known {
		if one.until.After(limit) {
			one.until = limit
			c.known[key] = one
		}
	}
}
