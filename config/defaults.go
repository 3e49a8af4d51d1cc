package config

// defaultParams gives each deployment the parameters of default_litellm_params
// that it lacks, so that they are checked and used like its own. Of metadata
// and other objects it gets the entries that it lacks, as the reference does
// (litellm/router.py, _update_kwargs_with_default_litellm_params). The model
// is each deployment's own.
func defaultParams(root *node) {
	defaults := root.get("router_settings").get("default_litellm_params")
	list := root.get("model_list")
	if defaults == nil || defaults.kind != mapKind || list == nil {
		return
	}
	for _, model := range list.items {
		params := model.get("litellm_params")
		if params == nil || params.kind != mapKind {
			continue
		}
		for _, e := range defaults.entries {
			have := params.get(e.key)
			switch {
			case e.key == "model" || e.val.isNull():
			case have == nil:
				params.entries = append(params.entries, entry{e.key, e.pos, e.val.copy()})
			case have.kind == mapKind && e.val.kind == mapKind:
				for _, inner := range e.val.entries {
					if have.get(inner.key) == nil {
						have.entries = append(have.entries, entry{inner.key, inner.pos, inner.val.copy()})
					}
				}
			}
		}
	}
}

// copy makes a tree of its own: the checker notes what it found in the nodes.
func (n *node) copy() *node {
	c := *n
	c.items, c.entries = nil, nil
	for _, item := range n.items {
		c.items = append(c.items, item.copy())
	}
	for _, e := range n.entries {
		c.entries = append(c.entries, entry{e.key, e.pos, e.val.copy()})
	}
	return &c
}
