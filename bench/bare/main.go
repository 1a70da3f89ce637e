// Command bare is what the platform's file storage is measured beside: `serve` answers the same calls of the official client from a
// folder, and checks nothing. `put` and `get` drive a storage as fast as a program can.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: bare serve FOLDER PORT | put URL FILE | get URL FILE")
	}
	var err error
	switch os.Args[1] {
	case "serve":
		err = serve(os.Args[2], os.Args[3])
	case "put":
		err = put(os.Args[2], os.Args[3])
	case "get":
		err = get(os.Args[2], os.Args[3])
	default:
		err = fmt.Errorf("no command %q", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

const prefix = "/api/v1/storage/"

type status struct {
	Path             string `json:"path"`
	Type             string `json:"type"`
	Length           int64  `json:"length"`
	ModificationTime int64  `json:"modificationTime"`
	Permission       string `json:"permission"`
}

func statusOf(path string, info os.FileInfo) map[string]status {
	of := "FILE"
	if info.IsDir() {
		of = "DIRECTORY"
	}
	return map[string]status{"FileStatus": {path, of, info.Size(), info.ModTime().Unix(), "write"}}
}

func serve(folder, port string) error {
	handler := func(writer http.ResponseWriter, request *http.Request) {
		name := strings.TrimPrefix(request.URL.Path, prefix)
		path := filepath.Join(folder, name)
		if err := answer(writer, request, path); err != nil {
			code := http.StatusBadRequest
			if os.IsNotExist(err) {
				code = http.StatusNotFound
			}
			writer.Header().Set("Content-Type", "application/json")
			writer.WriteHeader(code)
			_ = json.NewEncoder(writer).Encode(map[string]string{"error": err.Error()})
		}
	}
	return http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(handler))
}

func answer(writer http.ResponseWriter, request *http.Request, path string) error {
	switch request.URL.Query().Get("op") {
	case "GETFILESTATUS":
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		writer.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(writer).Encode(statusOf(path, info))
	case "LISTSTATUS":
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		writer.Header().Set("Content-Type", "application/x-ndjson")
		lines := json.NewEncoder(writer)
		for _, entry := range entries {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if err := lines.Encode(statusOf(entry.Name(), info)); err != nil {
				return err
			}
		}
		return nil
	case "OPEN":
		http.ServeFile(writer, request, path)
		return nil
	case "MKDIRS":
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		writer.WriteHeader(http.StatusCreated)
		return nil
	case "CREATE":
		return written(writer, request, path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0, http.StatusCreated)
	case "WRITE":
		from, _, _ := strings.Cut(strings.TrimPrefix(request.Header.Get("Content-Range"), "bytes "), "-")
		at, err := strconv.ParseInt(from, 10, 64)
		if err != nil {
			return err
		}
		return written(writer, request, path, os.O_WRONLY, at, http.StatusOK)
	}
	return fmt.Errorf("no such operation")
}

func written(writer http.ResponseWriter, request *http.Request, path string, flags int, at int64, code int) error {
	file, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(at, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(file, request.Body); err != nil {
		return err
	}
	writer.WriteHeader(code)
	return nil
}

const (
	streams = 4
	piece   = 32 << 20
)

// eachPiece runs a request for each piece of a file, some at a time.
func eachPiece(size int64, do func(from, length int64) error) error {
	pieces := make(chan int64)
	failed := make(chan error, streams)
	var group sync.WaitGroup
	for range streams {
		group.Go(func() {
			for from := range pieces {
				if err := do(from, min(piece, size-from)); err != nil {
					failed <- err
					for range pieces {
					}
					return
				}
			}
		})
	}
	for from := int64(0); from < size; from += piece {
		pieces <- from
	}
	close(pieces)
	group.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func asked(method, url string, body io.Reader, length int64, header map[string]string) (*http.Response, error) {
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	request.ContentLength = length
	request.Header.Set("Authorization", "Bearer "+os.Getenv("BARE_TOKEN"))
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return nil, fmt.Errorf("%s: %s", response.Status, text)
	}
	return response, nil
}

// put writes a file by the storage's protocol: an empty one is created, and its pieces are written where they belong.
func put(url, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	made, err := asked(http.MethodPut, url+"?op=CREATE", http.NoBody, 0, nil)
	if err != nil {
		return err
	}
	_ = made.Body.Close()
	return eachPiece(info.Size(), func(from, length int64) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err := file.Seek(from, io.SeekStart); err != nil {
			return err
		}
		of := fmt.Sprintf("bytes %d-%d/*", from, from+length-1)
		response, err := asked(http.MethodPatch, url+"?op=WRITE", io.LimitReader(file, length), length, map[string]string{"Content-Range": of})
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
}

// get reads a file by ranges into another.
func get(url, path string) error {
	head, err := asked(http.MethodGet, url+"?op=OPEN", nil, 0, map[string]string{"Range": "bytes=0-0"})
	if err != nil {
		return err
	}
	_, text, _ := strings.Cut(head.Header.Get("Content-Range"), "/")
	_ = head.Body.Close()
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return eachPiece(size, func(from, length int64) error {
		of := fmt.Sprintf("bytes=%d-%d", from, from+length-1)
		response, err := asked(http.MethodGet, url+"?op=OPEN", nil, 0, map[string]string{"Range": of})
		if err != nil {
			return err
		}
		defer response.Body.Close()
		buffer := make([]byte, 256<<10)
		for {
			count, err := io.ReadFull(response.Body, buffer)
			if count > 0 {
				if _, err := file.WriteAt(buffer[:count], from); err != nil {
					return err
				}
				from += int64(count)
			}
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
}
