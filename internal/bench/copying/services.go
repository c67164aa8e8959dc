// SPDX-License-Identifier: Apache-2.0

package copying

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	vaultToken = "hvs.bench"
	scaiToken  = "skt_bench"
	folderSize = 100
	pageSize   = 100
	vaultRoot  = "kv/data/apps"
	scaiRoot   = "production"
	written    = "2026-01-02T03:04:05.000000006Z"
	value      = `{"username":"service","password":"correct horse battery staple","host":"db.internal","port":5432}`
)

// Services are a KV v2 and a ScaiVault that make up what they are asked for. Of
// what is written they keep one bit.
type Services struct {
	Secrets int           // how many there are
	Folder  int           // how many of them are in a folder; if zero, 100
	Filled  bool          // ScaiVault has them all from the start
	Delay   time.Duration // added to every answer
	Limit   int           // writes in a minute, of which a second's may come at once; 0 for none

	mu      sync.Mutex // guards all below
	there   []uint64   // one bit for each secret in ScaiVault
	units   float64
	at      time.Time
	counts  map[string]int
	refused int
}

// folder is how many secrets are in a folder.
func (s *Services) folder() int {
	if s.Folder == 0 {
		return folderSize
	}
	return s.Folder
}

// name is the n-th secret's name below either root.
func (s *Services) name(n int) string {
	return fmt.Sprintf("team-%05d/s%02d", n/s.folder(), n%s.folder())
}

// number is the inverse of name, or -1.
func (s *Services) number(name string) int {
	folder, secret, ok := strings.Cut(name, "/")
	f, err1 := strconv.Atoi(strings.TrimPrefix(folder, "team-"))
	n, err2 := strconv.Atoi(strings.TrimPrefix(secret, "s"))
	if number := f*s.folder() + n; ok && err1 == nil && err2 == nil && number < s.Secrets {
		return number
	}
	return -1
}

// ServeHTTP answers for both services.
func (s *Services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Delay > 0 {
		timer := time.NewTimer(s.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch {
	case strings.HasPrefix(path, "sys/internal/ui/mounts/"):
		s.count("mount look-up")
		s.answer(w, `{"request_id":"r","data":{"path":"kv/","type":"kv","options":{"version":"2"}}}`)
	case r.URL.Query().Get("list") == "true":
		s.count("listing")
		s.answer(w, `{"request_id":"r","data":{"keys":`+s.keys(strings.TrimPrefix(path, "kv/metadata/apps"))+`}}`)
	case strings.HasPrefix(path, vaultRoot+"/"):
		s.count("value read")
		s.answer(w, `{"request_id":"r","data":{"data":`+value+`,"metadata":{"version":1,"created_time":"`+written+`","deletion_time":"","destroyed":false,"custom_metadata":null}}}`)
	case strings.HasPrefix(path, "kv/metadata/"):
		s.count("metadata read")
		s.answer(w, `{"request_id":"r","data":{"current_version":1,"cas_required":false,"custom_metadata":null,"versions":{"1":{"created_time":"`+written+`","deletion_time":"","destroyed":false}}}}`)
	case path == "secrets/batch":
		s.count("batch")
		s.batch(w, r)
	case r.Method == http.MethodPut:
		s.count("write")
		s.put(w, r, strings.TrimPrefix(path, "secrets/"))
	case path == "secrets":
		s.count("listing of ScaiVault")
		s.list(w, r)
	case s.has(s.number(strings.TrimPrefix(path, "secrets/"+scaiRoot+"/"))):
		s.count("single read")
		s.answer(w, s.entry(s.number(strings.TrimPrefix(path, "secrets/"+scaiRoot+"/"))))
	default:
		w.WriteHeader(http.StatusNotFound)
		s.answer(w, `{"error":{"code":"secret_not_found","message":"","request_id":"r"}}`)
	}
}

func (s *Services) answer(w http.ResponseWriter, body string) {
	_, _ = w.Write([]byte(body)) // a client that is gone wants no error
}

func (s *Services) count(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	s.counts[kind]++
}

// keys are the names in a folder of Vault.
func (s *Services) keys(folder string) string {
	var b strings.Builder
	b.WriteByte('[')
	add := func(format string, n int) {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, format, n)
	}
	if folder = strings.Trim(folder, "/"); folder == "" {
		for f := range (s.Secrets + s.folder() - 1) / s.folder() {
			add(`"team-%05d/"`, f)
		}
	} else if f, err := strconv.Atoi(strings.TrimPrefix(folder, "team-")); err == nil {
		for n := range min(s.folder(), s.Secrets-f*s.folder()) {
			add(`"s%02d"`, n)
		}
	}
	b.WriteByte(']')
	return b.String()
}

func (s *Services) put(w http.ResponseWriter, r *http.Request, path string) {
	var body struct {
		Data json.RawMessage `json:"data"`
	}
	n := s.number(strings.TrimPrefix(path, scaiRoot+"/"))
	if json.NewDecoder(r.Body).Decode(&body) != nil || n < 0 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !s.take(w.Header()) {
		w.WriteHeader(http.StatusTooManyRequests)
		s.answer(w, `{"error":{"code":"rate_limited","message":"","request_id":"r"}}`)
		return
	}
	s.mu.Lock()
	if s.there == nil {
		s.there = make([]uint64, s.Secrets/64+1)
	}
	s.there[n/64] |= 1 << (n % 64)
	s.mu.Unlock()
	s.answer(w, `{"path":"`+path+`","version":1}`)
}

// take takes a unit of the limit, and tells what is left.
func (s *Services) take(header http.Header) bool {
	if s.Limit == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, perSecond := time.Now(), float64(s.Limit)/60
	if s.at.IsZero() {
		s.units, s.at = perSecond, now
	}
	s.units = math.Min(perSecond, s.units+now.Sub(s.at).Seconds()*perSecond)
	s.at = now
	ok := s.units >= 1
	if ok {
		s.units--
	} else {
		s.refused++
		header.Set("Retry-After", "1")
	}
	header.Set("X-RateLimit-Limit", strconv.Itoa(s.Limit))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(int(s.units)))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(now.Add(time.Second).Unix(), 10))
	return ok
}

// batch answers with the copies that are there, and their marks.
func (s *Services) batch(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Paths []string `json:"paths"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var found, missing strings.Builder
	add := func(b *strings.Builder, path, entry string) {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + path + `":` + entry)
	}
	for _, path := range body.Paths {
		n := s.number(strings.TrimPrefix(path, scaiRoot+"/"))
		if !s.has(n) {
			add(&missing, path, `{"code":"secret_not_found","message":""}`)
			continue
		}
		add(&found, path, s.entry(n))
	}
	s.answer(w, `{"secrets":{`+found.String()+`},"errors":{`+missing.String()+`}}`)
}

// entry is a copy in ScaiVault, with its mark.
func (s *Services) entry(n int) string {
	return `{"path":"` + scaiRoot + "/" + s.name(n) + `","data":` + value + `,"version":1,"secret_type":"json","metadata":{"migration_source":"` + vaultRoot + "/" + s.name(n) +
		`","migration_source_version":"1","migration_version":"1","migration_write_id":"w","migration_source_time":"` + written + `"}}`
}

// list answers with one page of what ScaiVault holds.
func (s *Services) list(w http.ResponseWriter, r *http.Request) {
	first, _ := strconv.Atoi(r.URL.Query().Get("cursor")) // 0 where there is none
	var b strings.Builder
	b.WriteString(`{"secrets":[`)
	for n := first; n < min(first+pageSize, s.Secrets); n++ {
		if !s.has(n) {
			continue
		}
		if b.String()[b.Len()-1] == '}' {
			b.WriteByte(',')
		}
		b.WriteString(`{"path":"` + scaiRoot + "/" + s.name(n) + `","version":1,"secret_type":"json","updated_at":"` + written + `"}`)
	}
	b.WriteString(`]`)
	if next := first + pageSize; next < s.Secrets {
		b.WriteString(`,"next_cursor":"` + strconv.Itoa(next) + `","has_more":true`)
	}
	s.answer(w, b.String()+"}")
}

func (s *Services) has(n int) bool {
	if s.Filled {
		return n >= 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return n >= 0 && s.there != nil && s.there[n/64]&(1<<(n%64)) != 0
}
