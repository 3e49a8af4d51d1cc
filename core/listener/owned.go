package listener

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// What a vendor stores for a caller belongs to that caller: a row of the store says whose the vendor's id is, and who
// else may use it, team and user, is what the reference says of files over several deployments
// (litellm/llms/base_llm/managed_resources/isolation.py). An id without a row was made elsewhere, or by the
// administrator for everybody.

// shares says whether a principal may use what belongs to o: its user may, and everybody of its team.
func (o owner) shares(p *llm.Principal) bool {
	return seesAll(p) || o.user != "" && o.user == p.UserID || o.team != "" && o.team == p.TeamID || o.key != "" && o.key == p.KeyHash
}

// seesAll reports whether nothing is hidden from the principal. Without a principal the gateway asks for no keys.
func seesAll(p *llm.Principal) bool {
	return p == nil || p.Role == llm.RoleProxyAdmin || p.Role == llm.RoleProxyAdminViewer
}

// nobody reports whether what o has made belongs to no one in particular, as with the master key.
func (o owner) nobody(p *llm.Principal) bool {
	return p == nil || o.user == "" && o.team == "" && (o.key == "" || p.Role == llm.RoleProxyAdmin)
}

// forbidden is the error for an id of somebody else's, in the words of the reference.
func forbidden(p *llm.Principal, kind, id string) error {
	who := "None"
	if p != nil && p.UserID != "" {
		who = p.UserID
	}
	message := "User " + who + " does not have access to the " + kind + " " + id
	if kind == "vector store" {
		message = "Access denied: You do not have permission to access this vector store: " + id
	}
	return &llm.Error{Op: "listener.owned", Kind: llm.KindPermission, Message: message + "."}
}

// Names of the kinds of things that vendors store, as errors tell them. All but the first three are objects.
func kindName(segment string) string {
	switch segment {
	case "files":
		return "file"
	case "vector_stores":
		return "vector store"
	}
	return "object"
}

// storedID finds the id in the path of a request for what vendors store; "" if there is none.
func storedID(tail string) (kind, id string) {
	segments := strings.Split(tail, "/") // "", kind, id, what is asked of it
	at := 2
	if len(segments) > 1 && segments[1] == "fine_tuning" {
		at = 3
	}
	if len(segments) <= at {
		return "", ""
	}
	switch kind = segments[1]; kind {
	case "files", "uploads", "batches", "fine_tuning", "assistants", "threads", "vector_stores", "containers", "videos":
	default:
		return "", ""
	}
	if kind == "threads" && segments[2] == "runs" {
		return "", ""
	}
	return kindName(kind), vendorsID(decode(segments[at]))
}

// vendorsID is an id as the vendor knows it, in whatever form callers have it.
func vendorsID(id string) string {
	if inner, _, ok := openai.SplitModelID(id); ok {
		return inner
	}
	return id
}

// ownedKey is where the store keeps whose an id is.
func ownedKey(id string) string {
	const long = 200
	if len(id) > long || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		sum := sha256.Sum256([]byte(id))
		id = "sha256:" + hex.EncodeToString(sum[:])
	}
	return "owned:" + id
}

// ownerOfID looks up whose an id of a vendor's is. known is false for one that nobody made here.
func (s *Server) ownerOfID(x *llm.Exchange, id string) (o owner, known bool, err error) {
	row, err := s.Kept.Get(&x.Life, ownedKey(id))
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && row.Kind != store.ObjectOwned:
		return owner{}, false, nil
	case err != nil:
		return owner{}, false, &llm.Error{
			Op: "listener.owned", Kind: llm.KindUnavailable, Err: err, Message: "Whose " + id + " is cannot be looked up at the moment.",
		}
	}
	return ownerOfRow(row), true, nil
}

// own notes that an id of a vendor's belongs to o.
func (s *Server) own(x *llm.Exchange, id, kind string, o owner) error {
	body, err := json.Marshal(map[string]string{"id": id, "kind": kind})
	if err != nil {
		return err
	}
	return s.Kept.Put(&x.Life, &store.Object{
		ID: ownedKey(id), Kind: store.ObjectOwned, UserID: store.Text(o.user), TeamID: store.Text(o.team), Token: store.Text(o.key),
		Status: "owned", Body: string(body),
	})
}

// maxNamedIDs is how many ids one request may name.
const maxNamedIDs = 1024

// mayUse says why whoever asks may not use an id.
func (s *Server) mayUse(x *llm.Exchange, kind, id string, inPath bool) error {
	o, known, err := s.ownerOfID(x, id)
	switch {
	case err != nil:
		return err
	case known && !o.shares(x.Principal), !known && inPath && s.ownership().OnlyOwn && s.Gateway.Edge().Stores[id] == nil:
		return forbidden(x.Principal, kind, id)
	}
	return nil
}

// admitStored implements llm.Exchange.Admit for requests about what vendors store: the id in the path, and those that the
// body refers to, must be the caller's.
func (s *Server) admitStored(x *llm.Exchange) error {
	if seesAll(x.Principal) {
		return nil
	}
	if kind, id := storedID(x.Tail); id != "" {
		if err := s.mayUse(x, kind, id, true); err != nil {
			return err
		}
	}
	return s.admitNamed(x, x.Body.Raw(), idLike)
}

// admitDeletion implements llm.Exchange.Admit for the deletion of a file.
func (s *Server) admitDeletion(x *llm.Exchange) error {
	_, id := storedID(x.Tail)
	return s.paidFor(x, id, []string{id})
}

// admitPath implements llm.Exchange.Admit for requests that go to OpenAI or Azure as they are.
func (s *Server) admitPath(x *llm.Exchange) error {
	if seesAll(x.Principal) {
		return nil
	}
	for segment := range strings.SplitSeq(x.Tail, "/") {
		if id := decode(segment); idLike([]byte(id)) {
			if err := s.mayUse(x, "object", id, false); err != nil {
				return err
			}
		}
	}
	if raw := bytes.TrimSpace(x.Raw); len(raw) > 0 && raw[0] == '{' && mayRefer(raw) {
		return s.admitNamed(x, raw, referred)
	}
	return nil
}

// admitChat implements llm.Exchange.Admit for chats, which may refer to files, vector stores and containers.
func (s *Server) admitChat(x *llm.Exchange) error {
	if seesAll(x.Principal) {
		return nil
	}
	raw := x.Native.Raw()
	if raw == nil {
		raw = x.Body.Raw()
	}
	if !mayRefer(raw) {
		return nil
	}
	return s.admitNamed(x, raw, referred)
}

// mayRefer tells nearly all requests that refer to nothing from the others, without reading them: 0.1 µs for 2 KB of
// prose. It looks at what follows each quote, and for letters that are written as escapes.
func mayRefer(raw []byte) bool {
	for rest := raw; ; {
		at := bytes.IndexByte(rest, '"')
		if at < 0 || at+1 == len(rest) {
			break
		}
		rest = rest[at+1:]
		switch rest[0] {
		case 'f':
			if bytes.HasPrefix(rest, []byte("file")) {
				return true
			}
		case 'v':
			if bytes.HasPrefix(rest, []byte("vs_")) {
				return true
			}
		case 'c':
			if bytes.HasPrefix(rest, []byte("cntr_")) {
				return true
			}
		}
	}
	for rest := raw; ; {
		at := bytes.IndexByte(rest, '\\')
		if at < 0 {
			return false
		}
		if rest = rest[at+1:]; bytes.HasPrefix(rest, []byte("u00")) {
			return true
		}
	}
}

// referred reports whether a string in a chat can be the id of something that is stored at OpenAI or Azure.
func referred(s []byte) bool {
	for _, prefix := range []string{"file-", "file_", "assistant-", "vs_", "cntr_"} {
		if len(s) > len(prefix) && string(s[:len(prefix)]) == prefix {
			return idLike(s)
		}
	}
	return false
}

// idLike reports whether a string can be the id of anything.
func idLike(s []byte) bool {
	const short, long = 4, 1024
	if len(s) < short || len(s) > long {
		return false
	}
	digits := false
	for _, c := range s {
		switch {
		case '0' <= c && c <= '9':
			digits = true
		case c <= ' ' || c > '~' || c == '"' || c == '{' || c == '<':
			return false
		}
	}
	return digits
}

// admitNamed looks up every string of a JSON text that may be an id.
func (s *Server) admitNamed(x *llm.Exchange, raw []byte, may func([]byte) bool) error {
	seen := map[string]bool{}
	for text := range stringsOf(raw) {
		if !may(text) || seen[string(text)] {
			continue
		}
		if len(seen) == maxNamedIDs {
			return invalidMember("request_body", fmt.Sprintf("refers to more than %d stored things", maxNamedIDs))
		}
		id := string(text)
		seen[id] = true
		if err := s.mayUse(x, "object", vendorsID(id), false); err != nil {
			return err
		}
	}
	return nil
}

// stringsOf are the strings of a JSON text, names of members too, unescaped. They are borrowed.
func stringsOf(raw []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for at := bytes.IndexByte(raw, '"'); at >= 0; at = bytes.IndexByte(raw, '"') {
			end := at + 1
			for end < len(raw) && raw[end] != '"' {
				if raw[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(raw) {
				return
			}
			text, ok := llm.Text(raw[at : end+1])
			if ok && !yield(text) {
				return
			}
			raw = raw[end+1:]
		}
	}
}

// alsoAdmit adds a condition to those under which the request is admitted.
func alsoAdmit(x *llm.Exchange, more func(*llm.Exchange) error) {
	first := x.Admit
	if first == nil {
		x.Admit = more
		return
	}
	x.Admit = func(x *llm.Exchange) error {
		if err := first(x); err != nil {
			return err
		}
		return more(x)
	}
}

// makes is the place of the id of what a call makes, in its answer; "" for calls that make nothing.
func makes(call, tail string) string {
	switch call {
	case "acreate_file", "acreate_upload", "acreate_batch", "acreate_fine_tuning_job", "acreate_assistants", "acreate_thread",
		"avector_store_create", "acreate_container", "acreate_video", "avideo_remix":
		return "id"
	case "arun_thread":
		if tail == "/threads/runs" {
			return "thread_id"
		}
	}
	return ""
}

// begets reports whether the answer to a call may name files that the vendor has made of what the caller stored.
func begets(call string) bool {
	switch call {
	case "aretrieve_batch", "acancel_batch", "aretrieve_fine_tuning_job", "acomplete_upload":
		return true
	}
	return false
}

// begotten are the ids of files that the vendor has made: what a batch or a fine-tuning job put out, or an upload became.
func begotten(object []byte) (ids []string) {
	add := func(v []byte) {
		if id, ok := llm.Text(v); ok && len(id) > 0 {
			ids = append(ids, vendorsID(string(id)))
		}
	}
	add(dialect.Get(object, "output_file_id"))
	add(dialect.Get(object, "error_file_id"))
	add(dialect.Get(dialect.Get(object, "file"), "id"))
	for list := dialect.Array(dialect.Get(object, "result_files")); list.Next(); {
		add(list.Value())
	}
	return ids
}

// deletes reports whether a call deletes what its path names.
func deletes(call string) bool {
	switch call {
	case "afile_delete", "adelete_assistant", "adelete_thread", "avector_store_delete", "adelete_container", "avideo_delete":
		return true
	}
	return false
}

func ignoreMissing(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
