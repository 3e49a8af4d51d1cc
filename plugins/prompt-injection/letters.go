package main

// lookAlike returns the ASCII letter that a character looks like or is an accented form of, in lower case, or 0. It knows
// Latin with accents, Cyrillic and Greek letters of the same shape, and the full-width and mathematical alphabets.
func lookAlike(r rune) byte {
	switch {
	case r >= 0xff21 && r <= 0xff3a:
		return byte(r-0xff21) + 'a'
	case r >= 0xff41 && r <= 0xff5a:
		return byte(r-0xff41) + 'a'
	case r >= 0xff10 && r <= 0xff19:
		return byte(r-0xff10) + '0'
	case r >= 0x1d400 && r <= 0x1d6a3:
		return byte((r-0x1d400)%26) + 'a' // thirteen alphabets, upper and lower case
	case r >= 0x1d7ce && r <= 0x1d7ff:
		return byte((r-0x1d7ce)%10) + '0'
	case r >= 0x24b6 && r <= 0x24e9:
		return byte((r-0x24b6)%26) + 'a' // circled
	case r >= 0x1f130 && r <= 0x1f149:
		return byte(r-0x1f130) + 'a' // squared
	case r >= 0xc0 && r <= 0x17f:
		return latin(r)
	}
	return sameShape(r)
}

func latin(r rune) byte {
	// One letter for each character from U+00C0 on; a dot where there is none.
	const bases = "aaaaaaaceeeeiiiidnooooo.ouuuuy.saaaaaaaceeeeiiiidnooooo.ouuuuy.y" + // Latin-1
		"aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllllllln" + // to U+0143
		"nnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs"
	if b := bases[r-0xc0]; b != '.' {
		return b
	}
	return 0
}

func sameShape(r rune) byte {
	switch r {
	case 'а', 'А', 'α', 'Α', 'ɑ', 'ᴀ', 'ạ', 'ả':
		return 'a'
	case 'в', 'В', 'β', 'Β', 'Ь', 'ʙ':
		return 'b'
	case 'с', 'С', 'ϲ', 'Ϲ', 'ᴄ':
		return 'c'
	case 'ԁ', 'ɗ', 'ᴅ':
		return 'd'
	case 'е', 'Е', 'ε', 'Ε', 'є', 'Є', 'ᴇ', 'ẹ', 'ё':
		return 'e'
	case 'ғ', 'ꜰ':
		return 'f'
	case 'ɡ', 'ɢ', 'ԍ':
		return 'g'
	case 'н', 'Н', 'Η', 'һ', 'Һ', 'ʜ':
		return 'h'
	case 'і', 'І', 'ι', 'Ι', 'ı', 'ɪ', 'ї', 'ị':
		return 'i'
	case 'ј', 'Ј', 'ᴊ':
		return 'j'
	case 'к', 'К', 'κ', 'Κ', 'ᴋ', 'K':
		return 'k'
	case 'ӏ', 'Ӏ', 'ʟ', 'ⅼ':
		return 'l'
	case 'м', 'М', 'Μ', 'ᴍ':
		return 'm'
	case 'п', 'ո', 'Ν', 'η', 'ɴ':
		return 'n'
	case 'о', 'О', 'ο', 'Ο', 'օ', 'ᴏ', 'ọ', 'σ':
		return 'o'
	case 'р', 'Р', 'ρ', 'Ρ', 'ᴘ':
		return 'p'
	case 'ԛ':
		return 'q'
	case 'г', 'ʀ':
		return 'r'
	case 'ѕ', 'Ѕ', 'ꜱ', 'ş':
		return 's'
	case 'т', 'Т', 'τ', 'Τ', 'ᴛ':
		return 't'
	case 'υ', 'ս', 'ᴜ', 'ụ':
		return 'u'
	case 'ν', 'ѵ', 'ᴠ':
		return 'v'
	case 'ԝ', 'ѡ', 'ω', 'ᴡ':
		return 'w'
	case 'х', 'Х', 'χ', 'Χ':
		return 'x'
	case 'у', 'У', 'Υ', 'ү', 'ʏ', 'γ':
		return 'y'
	case 'Ζ', 'ᴢ':
		return 'z'
	}
	return 0
}
