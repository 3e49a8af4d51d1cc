package llm

// Customer is who the caller says it asks for: the first of the customer headers, a header of the operator's choice (its
// name, or ""), the body's user, litellm_metadata.user and metadata.user_id. It follows get_end_user_id_from_request_body
// in litellm/proxy/auth/auth_utils.py. The bytes are borrowed; nil is nobody.
func (x *Exchange) Customer(header string) []byte {
	for _, name := range [...]string{"x-litellm-customer-id", "x-litellm-end-user-id", header} {
		if name == "" {
			continue
		}
		if v := x.Header.Get(name); len(v) > 0 {
			return v
		}
	}
	if id := textOf(x.Controls.User); id != nil {
		return id
	}
	if len(x.Controls.Metadata) == 0 {
		return nil
	}
	var o Object
	if o.Parse(x.Controls.Metadata) != nil {
		return nil
	}
	if id := textOf(o.Get("user")); id != nil && x.Body.Index("litellm_metadata") >= 0 {
		return id
	}
	return textOf(o.Get("user_id"))
}

// textOf is the text of a JSON string or number; nil if it is neither or empty.
func textOf(raw []byte) []byte {
	if s, ok := Text(raw); ok {
		if len(s) == 0 {
			return nil
		}
		return s
	}
	if len(raw) > 0 && (raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9') {
		return raw
	}
	return nil
}
