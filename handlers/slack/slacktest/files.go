package slacktest

import (
	"io"
	"net/http"
)

// file is a file on its way: asked for, sent, and shared.
type file struct {
	name    string
	size    int
	content []byte
	sent    bool
}

func (s *Slack) uploadURL(a args) (map[string]any, *apiError) {
	name, size := a.str("filename"), a.number("length", 0)
	if name == "" || size == 0 {
		return nil, &apiError{code: "invalid_arguments", messages: []string{"missing required field: filename or length"}}
	}
	id := s.id("F0")
	s.files[id] = &file{name: name, size: size}
	return map[string]any{"file_id": id, "upload_url": s.base + "/upload/" + id}, nil
}

// upload takes a file's content, as it is or as the file in a form: slack-go calls it "file", Slack's own client "body".
func (s *Slack) upload(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	var from io.Reader = r.Body
	if parts, err := r.MultipartReader(); err == nil {
		part, err := parts.NextPart()
		for err == nil && part.FileName() == "" {
			part, err = parts.NextPart()
		}
		if err != nil {
			http.Error(w, "no file", http.StatusBadRequest)
			return
		}
		from = part
	}
	content, err := io.ReadAll(from)
	s.mu.Lock()
	f := s.files[r.PathValue("id")]
	ok := err == nil && f != nil && len(content) == f.size
	if ok {
		f.content, f.sent = content, true
	}
	s.mu.Unlock()
	if !ok {
		http.Error(w, "size mismatch", http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, "OK")
}

func (s *Slack) completeUpload(a args) (map[string]any, *apiError) {
	raw, ok := a.value("files")
	if !ok || len(list(raw)) == 0 {
		return nil, &apiError{code: "invalid_arguments", messages: []string{"missing required field: files"}}
	}
	var files []File
	out := []any{}
	for _, v := range list(raw) {
		o, _ := v.(map[string]any)
		id := args(o).str("id")
		f := s.files[id]
		if f == nil || !f.sent {
			return nil, fail("file_not_found")
		}
		files = append(files, File{ID: id, Name: f.name, Title: args(o).str("title"), Content: f.content})
		out = append(out, map[string]any{"id": id, "title": args(o).str("title")})
	}
	if id := a.str("channel_id"); id != "" {
		c, err := s.postable(id)
		if err != nil {
			return nil, err
		}
		if !c.has(BotUser) {
			return nil, fail("not_in_channel")
		}
		s.put(Message{Channel: c.ID, User: BotUser, Thread: a.str("thread_ts"), Text: a.str("initial_comment"), Files: files})
	}
	return map[string]any{"files": out}, nil
}
