package main

// class is a set of meanings that a word can have in a rule.
type class uint64

const (
	override class = 1 << iota // ignore
	prior                      // previous
	every                      // all
	your
	instruction // instructions, rules
	system      // system, hidden
	reveal      // reveal, leak: hardly said otherwise
	show        // show, tell: often said otherwise
	repeat      // repeat, print
	content     // everything, words
	text
	verbatim
	negation // not, never
	follow   // follow, obey
	without  // without, no
	limit    // restrictions
	unlimited
	assistant // AI, model
	dan
	as
	act // act, pretend, become
	now
	you
	are
	from
	on
	do
	anything
	developer // developer, god, debug
	mode
	refuse
	character
	fresh // new
	instead
	say // say, respond
	decode
	execute
	encoded
	inform // tell, mention
	user
	jailbreak
	what
	end
	input
	reading
	stay
	must
	override2 // override as a noun: system override
	told
	safety
	task
	pretend
	begin
	activate
)

// vocabulary lists the words of each class, in lower case and without accents.
func vocabulary() map[class]string {
	return map[class]string{
		override: `ignore ignores ignoring disregard disregarding forget forgetting override overrule bypass bypassing neglect
			discard circumvent drop dismiss erase delete ignoriere ignorieren vergiss missachte ignora ignorar ignorad olvida
			olvidar omite ignorez oublie oubliez esqueca desconsidere ignori dimentica negeer vergeet zignoruj`,
		prior: `previous previously prior above earlier preceding former foregoing original initial before existing current past
			vorherigen vorherige vorigen bisherigen obigen fruheren anteriores anterior previas previos precedentes precedente
			dessus anteriormente precedenti poprzednie vorige eerdere`,
		every: `all any every everything alle tout toutes todas todos todo tutte ogni`,
		your:  `your ur deine deinen deiner deinem dein ihre ihren tus tu su sus vos votre tes ton seu suas tuas tue je`,
		instruction: `instruction instructions prompt prompts rule rules guideline guidelines direction directions directive directives
			command commands programming policies constraints orders protocol protocols preprompt guardrails
			anweisungen anweisung instruktionen regeln vorgaben instrucciones reglas consignes regles instrucoes regras istruzioni
			regole instrukcje regels instructies`,
		system:    `system developer hidden secret internal confidential sys underlying systemprompt systeme sistema initial original`,
		reveal:    `reveal leak expose dump disclose recite exfiltrate divulge verrate enthulle revela revele`,
		show:      `show print display output tell give share write list summarize translate encode provide paste describe explain zeige nenne muestra dime affiche montre mostre`,
		repeat:    `repeat print output copy echo reproduce recite wiederhole repite repete`,
		content:   `everything words sentences phrase lines`,
		text:      `text message messages conversation context content`,
		verbatim:  `verbatim exactly wortlich textually literally`,
		negation:  `not dont never stop cease cannot cant nicht no wont`,
		follow:    `follow following obey obeying comply adhere heed befolge`,
		without:   `without no free remove removed disable disabled ohne sin sans unbound lift`,
		limit:     `restrictions restriction limits limitations limitation filters filter censorship ethics ethical moral morals morality boundaries safeguards guardrails guidelines rules constraints moderation beschrankungen restricciones limites`,
		unlimited: `unrestricted uncensored unfiltered amoral unethical jailbroken unaligned unmoderated lawless unbounded unlimited`,
		assistant: `ai assistant model llm chatbot chatgpt gpt claude bot gemini copilot agent llama ki ia`,
		dan:       `dan stan dude aim devmode evilgpt`,
		as:        `as als como comme called named`,
		act:       `act pretend roleplay simulate become imagine behave play emulate impersonate transform`,
		now:       `now henceforth onwards jetzt ahora`,
		you:       `you u du usted tu`,
		are:       `are re will bist`,
		from:      `from ab`,
		on:        `on forward`,
		do:        `do`,
		anything:  `anything`,
		developer: `developer dev god debug admin root sudo maintenance dan jailbreak unrestricted unsafe evil`,
		mode:      `mode modus modo`,
		refuse:    `refuse refusing decline deny reject`,
		character: `character persona role`,
		fresh:     `new updated real actual neue nuevas nouvelles`,
		instead:   `instead stattdessen`,
		say:       `say respond reply answer output print`,
		decode:    `decode decrypt decipher unscramble decoded deobfuscate dekodiere`,
		execute:   `execute follow obey run perform carry`,
		encoded:   `base64 rot13 hex morse cipher encoded b64 binary`,
		inform:    `tell mention inform alert notify warn reveal`,
		user:      `user users human anyone operator`,
		jailbreak: `jailbreak jailbroken jailbreaking`,
		what:      `what whats which`,
		end:       `end ends ending`,
		input:     `input prompt query document context instructions`,
		reading:   `reading processing parsing summarizing analyzing seeing`,
		stay:      `stay remain break leave`,
		must:      `must should shall`,
		override2: `override breach unlock update`,
		told:      `told said instructed given taught learned trained programmed gave say know`,
		safety:    `safety content security ethical openai anthropic google`,
		task:      `task goal objective purpose mission job`,
		pretend:   `pretend pretending imagine suppose hypothetically`,
		begin:     `begin beginning starting start starts begins`,
		activate:  `activate enter enable enabled activated entering engage`,
	}
}

// rule is a sequence of classes, each at most some words behind the one in front of it.
type rule struct {
	name   string
	points int
	parts  []part
}

type part struct {
	gap   int // words that may stand in front of it
	class class
}

// rules lists what is looked for. Points are chosen so that 5 is reached by a sentence that hardly anybody writes for another
// reason, and by two of those that are suspicious near each other.
func rules() []rule {
	p := func(gap int, c class) part { return part{gap, c} }
	r := func(name string, points int, parts ...part) rule { return rule{name, points, parts} }
	return []rule{
		r("override", 6, p(0, override), p(5, prior), p(3, instruction)),
		r("override", 6, p(0, override), p(4, instruction), p(2, prior)),
		r("override", 5, p(0, override), p(2, your), p(3, instruction)),
		r("override", 3, p(0, override), p(2, every), p(3, instruction)),
		r("override", 5, p(0, override), p(2, system), p(2, instruction)),
		r("override", 4, p(0, override), p(2, content|text), p(4, prior|told)),
		r("override", 4, p(0, override), p(2, every), p(4, told)),
		r("override", 5, p(0, override), p(2, safety), p(2, instruction|limit)),
		r("override", 3, p(0, override), p(2, prior)),
		r("override", 5, p(0, negation), p(1, follow), p(3, prior|your|system), p(2, instruction)),
		r("override", 4, p(0, negation), p(1, follow), p(2, instruction), p(3, system|prior)),
		r("override", 2, p(0, override), p(4, instead)),
		r("override", 2, p(0, override), p(6, say), p(1, instead)),
		r("override", 4, p(0, system), p(0, override2)),

		r("exfiltration", 5, p(0, reveal|repeat), p(3, your), p(3, instruction)),
		r("exfiltration", 5, p(0, show), p(2, your), p(1, system|prior), p(2, instruction|text)),
		r("exfiltration", 4, p(0, show), p(2, your), p(1, instruction)),
		r("exfiltration", 5, p(0, reveal|repeat), p(4, system), p(1, instruction|text)),
		r("exfiltration", 2, p(0, show), p(4, system), p(1, instruction)),
		r("exfiltration", 5, p(0, what), p(2, your), p(1, system|prior), p(2, instruction|text)),
		r("exfiltration", 3, p(0, what), p(1, your), p(1, instruction)),
		r("exfiltration", 4, p(0, what), p(3, instruction), p(3, you), p(1, told)),
		r("exfiltration", 2, p(0, what), p(3, instruction), p(3, you), p(1, told), p(2, prior|system)),
		r("exfiltration", 5, p(0, repeat), p(2, content), p(2, prior)),
		r("exfiltration", 3, p(0, repeat), p(2, text), p(2, prior)),
		r("exfiltration", 2, p(0, repeat), p(8, verbatim)),
		r("exfiltration", 2, p(0, begin), p(3, you), p(0, are)),

		r("jailbreak", 6, p(0, do), p(0, anything), p(0, now)),
		r("jailbreak", 5, p(0, as|you), p(2, dan)),
		r("jailbreak", 3, p(0, jailbreak)),
		r("jailbreak", 4, p(0, unlimited), p(1, assistant|mode|character)),
		r("jailbreak", 3, p(0, assistant|character), p(5, unlimited)),
		r("jailbreak", 3, p(0, without), p(3, limit)),
		r("jailbreak", 3, p(0, without), p(2, safety), p(1, limit)),
		r("jailbreak", 3, p(0, developer), p(0, mode)),
		r("jailbreak", 1, p(0, activate), p(3, developer), p(0, mode)),
		r("jailbreak", 3, p(0, negation), p(1, refuse)),
		r("jailbreak", 2, p(0, stay), p(1, character)),
		r("role play", 3, p(0, you), p(0, are), p(0, now)),
		r("role play", 2, p(0, from), p(0, now), p(0, on)),
		r("role play", 2, p(0, pretend|act), p(3, assistant)),
		r("role play", 2, p(0, pretend), p(2, you)),
		r("role play", 2, p(0, act), p(0, as)),
		r("role play", 3, p(0, negation), p(3, limit), p(3, your|safety)),

		r("new instructions", 3, p(0, fresh), p(1, instruction)),
		r("new instructions", 4, p(0, your), p(0, fresh), p(1, instruction|task|character)),
		r("new instructions", 2, p(0, end), p(2, user|system|input)),
		r("indirect", 5, p(0, assistant), p(2, reading)),
		r("indirect", 3, p(0, assistant), p(3, must), p(6, execute|say|reveal|show)),
		r("indirect", 4, p(0, negation), p(1, inform), p(2, user)),
		r("encoded", 4, p(0, decode), p(7, execute)),
		r("encoded", 3, p(0, encoded), p(4, execute)),
	}
}
