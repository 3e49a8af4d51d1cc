package config

// Shown returns a section as it was written, for people to look at: secrets
// are masked, references to variables stay references. It is nil if the
// section is absent. The maps belong to the caller.
func (c *Config) Shown(section string) any {
	n := c.root.get(section)
	if n == nil {
		return nil
	}
	return n.shown(n.setting != nil && n.setting.Secret || section == "environment_variables")
}

func (n *node) shown(secret bool) any {
	switch {
	case n.variable != "":
		return referencePrefix + n.variable
	case n.kind == listKind:
		list := make([]any, 0, len(n.items))
		for _, item := range n.items {
			list = append(list, item.shown(secret))
		}
		return list
	case n.kind == mapKind:
		m := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			m[e.key] = e.val.shown(secret || secretName(e.key) || e.val.setting != nil && e.val.setting.Secret)
		}
		return m
	}
	s, text := n.scalar.(string)
	switch {
	case secret && n.text != "":
		return mask
	case text:
		return maskURL(s)
	}
	return n.scalar
}
