package provider

import "github.com/sallyport-ai/sallyport/core/llm"

// FormFile is one file of a form.
type FormFile struct {
	Name    string // of the part
	File    string // the name of the file
	Type    string // its content type; "" is application/octet-stream
	Content []byte // not copied
}

// SendForm makes the call a form with the fields, and the files behind them.
func (t *Turn) SendForm(fields []llm.Pair, files []FormFile) {
	boundary := "sallyport-" + string(t.Exchange.ID[:])
	t.AddHeader("Content-Type", "multipart/form-data; boundary="+boundary)
	t.Call.Body = append(t.Call.Body, formBody(boundary, fields, files)...)
}

// formBody writes a form. The content of each file is a piece of its own.
func formBody(boundary string, fields []llm.Pair, files []FormFile) [][]byte {
	var head []byte
	for _, f := range fields {
		head = append(head, "--"+boundary+"\r\nContent-Disposition: form-data; name=\""+formName(f.Name)+"\"\r\n\r\n"+f.Value+"\r\n"...)
	}
	var out [][]byte
	for _, f := range files {
		kind := f.Type
		if kind == "" || BadHeader("content-type", kind) != "" {
			kind = "application/octet-stream"
		}
		head = append(head, "--"+boundary+"\r\nContent-Disposition: form-data; name=\""+formName(f.Name)+"\"; filename=\""+
			formName(f.File)+"\"\r\nContent-Type: "+kind+"\r\n\r\n"...)
		out = append(out, head, f.Content)
		head = []byte("\r\n")
	}
	return append(out, append(head, "--"+boundary+"--\r\n"...))
}
