extension CampaignFileTable {
    /// Values that aren't what they should be, and YAML that is more than plain.
    static let values = #"""
        ## an amount of zero
        -         cap: 200
        +         cap: 0
        = f.yaml:23:14: error: an amount must be at least 1 fen (phases.live.scenes.rain.cap)
        = f.yaml: refused: 1 error
        ## a negative amount
        -         cap: 200
        +         cap: -200
        = f.yaml:23:14: error: must be a whole number of fen, but is '-200' (phases.live.scenes.rain.cap)
        =     hint: digits only: no sign, point, exponent or _
        = f.yaml: refused: 1 error
        ## an amount with a fraction
        -         cap: 200
        +         cap: 200.0
        = f.yaml:23:14: error: must be a whole number of fen, but is '200.0' (phases.live.scenes.rain.cap)
        =     hint: digits only: no sign, point, exponent or _
        = f.yaml: refused: 1 error
        ## an amount with an exponent
        -         cap: 200
        +         cap: 2e2
        = f.yaml:23:14: error: must be a whole number of fen, but is '2e2' (phases.live.scenes.rain.cap)
        =     hint: digits only: no sign, point, exponent or _
        = f.yaml: refused: 1 error
        ## an amount in quotes
        -         cap: 200
        +         cap: "200"
        = f.yaml:23:14: error: must be a whole number of fen, but is the text '200' (phases.live.scenes.rain.cap)
        = f.yaml: refused: 1 error
        ## an amount with underscores
        -         cap: 200
        +         cap: 2_00
        = f.yaml:23:14: error: must be a whole number of fen, but is '2_00' (phases.live.scenes.rain.cap)
        =     hint: digits only: no sign, point, exponent or _
        = f.yaml: refused: 1 error
        ## an amount with a leading zero
        -         cap: 200
        +         cap: 0200
        = f.yaml:23:14: error: must be a whole number of fen, but is '0200' (phases.live.scenes.rain.cap)
        =     hint: digits only: no sign, point, exponent or _
        = f.yaml: refused: 1 error
        ## an amount that doesn't fit
        -         cap: 200
        +         cap: 9223372036854775808
        = f.yaml:23:14: error: '9223372036854775808' fen is more than can be counted (phases.live.scenes.rain.cap)
        = f.yaml: refused: 1 error
        ## an amount that is a list
        -         cap: 200
        +         cap: [200]
        = f.yaml:23:14: error: must be a whole number of fen, but is a list (phases.live.scenes.rain.cap)
        = f.yaml: refused: 1 error
        ## an amount that is missing
        -         cap: 200
        +         cap:
        = f.yaml:23:13: error: must be a whole number of fen, but is empty (phases.live.scenes.rain.cap)
        = f.yaml: refused: 1 error
        ## scene numbers twice
        - number: 2
        + number: 1
        = f.yaml:27:17: error: scene 'rain' has the number 1 already (phases.live.scenes.film.number)
        = f.yaml: refused: 1 error
        ## scene keys twice, which the parser finds
        -       film:
        -         number
        +       rain:
        +         number
        = f.yaml:18:7: error: the same key is in a map twice: 'rain'
        = f.yaml: refused: 1 error
        ## app numbers twice
        - phases:
        +   xigua: { number: 1, name: 西瓜, family: toutiao }
        + phases:
        = f.yaml:6:20: error: app 'douyin' has the number 1 already (apps.xigua.number)
        = f.yaml: refused: 1 error
        ## reward ID numbers and keys twice
        - { film-ticket: 1001 }
        + { film-ticket: 101, cash-rain: 1002 }
        = f.yaml:16:47: error: reward ID 'cash-rain' has the number 101 already
        |  (phases.live.rewards.film.ids.film-ticket)
        = f.yaml:16:52: error: the reward ID 'cash-rain' is there already, at
        |  phases.live.rewards.cash.ids.cash-rain (phases.live.rewards.film.ids.cash-rain)
        = f.yaml: refused: 2 errors
        ## a reward ID that no scene gives is only a warning
        - { film-ticket: 1001 }
        + { film-ticket: 1001, film-free: 1002 }
        = f.yaml:16:53: warning: no scene gives 'film-free' (phases.live.rewards.film.ids.film-free)
        = f.yaml: campaign small, number 7, is valid: 1 app, live with 2 scenes; 1 warning
        ## a scene's number of zero
        - number: 2
        + number: 0
        = f.yaml:27:17: error: '0' is not between 1 and 65535 (phases.live.scenes.film.number)
        = f.yaml: refused: 1 error
        ## a campaign number that doesn't fit a book
        - number: 7
        + number: 16384
        = f.yaml:2:9: error: '16384' is not between 1 and 16383 (number)
        = f.yaml: refused: 1 error
        ## a window outside the phase
        - bill: Film
        + bill: Film
        +         windows:
        +           - { from: 2022-01-23T23:59:59.999+08:00, to: 2022-01-25T00:00:00+08:00 }
        = f.yaml:32:13: error: the window is not inside the phase, 2022-01-24T00:00:00.000+08:00 to
        |  2022-02-07T00:00:00.000+08:00 (phases.live.scenes.film.windows[0])
        = f.yaml: refused: 1 error
        ## windows that overlap
        - bill: Film
        + bill: Film
        +         windows:
        +           - { from: 2022-01-25T00:00:00+08:00, to: 2022-01-26T00:00:00+08:00 }
        +           - { from: 2022-01-24T00:00:00+08:00, to: 2022-01-25T00:00:00.001+08:00 }
        = f.yaml:32:13: error: overlaps the window 2022-01-24T00:00:00.000+08:00 to 2022-01-25T00:00:00.001+08:00
        |  (phases.live.scenes.film.windows[0])
        = f.yaml: refused: 1 error
        ## a window that is turned around
        - bill: Film
        + bill: Film
        +         windows: [{ from: 2022-01-26T00:00:00+08:00, to: 2022-01-25T00:00:00+08:00 }]
        = f.yaml:31:58: error: 'to' is not after 'from', 2022-01-26T00:00:00.000+08:00
        |  (phases.live.scenes.film.windows[0].to)
        = f.yaml: refused: 1 error
        ## an empty list of windows
        - bill: Film
        + bill: Film
        +         windows: []
        = f.yaml:31:18: error: leaves no time to play (phases.live.scenes.film.windows)
        =     hint: leave 'windows' out
        = f.yaml: refused: 1 error
        ## a share above 10000 (CF-4)
        - admission: everyone
        + admission: { basisPoints: 10001 }
        = f.yaml:11:31: error: '10001' is not between 0 and 10000 (phases.live.admission.basisPoints)
        = f.yaml: refused: 1 error
        ## a share below zero
        - admission: everyone
        + admission: { basisPoints: -1 }
        = f.yaml:11:31: error: must be a whole number, but is '-1' (phases.live.admission.basisPoints)
        =     hint: digits only: no sign, point, exponent or _
        = f.yaml: refused: 1 error
        ## an admission of nobody is only a warning
        - admission: everyone
        + admission: { people: [] }
        = f.yaml:11:16: warning: admits nobody (phases.live.admission)
        = f.yaml: campaign small, number 7, is valid: 1 app, live with 2 scenes; 1 warning
        ## an admission that says nothing
        - admission: everyone
        + admission: {}
        = f.yaml:11:16: error: says neither who is admitted nor how many (phases.live.admission)
        =     hint: write everyone, or basisPoints: 500 (5 %), or people: [10001, 10002]
        = f.yaml: refused: 1 error
        ## an admission that is no word of ours
        - admission: everyone
        + admission: everybody
        = f.yaml:11:16: error: 'everybody' is not possible here (phases.live.admission)
        =     hint: possible here: everyone
        = f.yaml: refused: 1 error
        ## people who can't be
        - admission: everyone
        + admission: { people: [1, "2", 0, -3, x, 18446744073709551616, 1] }
        = f.yaml:11:35: error: must be a person's ID, but is '0' (phases.live.admission.people[2])
        = f.yaml:11:38: error: must be a person's ID, but is '-3' (phases.live.admission.people[3])
        = f.yaml:11:42: error: must be a person's ID, but is 'x' (phases.live.admission.people[4])
        = f.yaml:11:45: error: must be a person's ID, but is '18446744073709551616'
        |  (phases.live.admission.people[5])
        = f.yaml:11:67: error: person 1 is listed twice (phases.live.admission.people[6])
        = f.yaml: refused: 5 errors
        ## a withdrawal gate before its phase (WD-1)
        -     rewards:
        +     withdrawal: { from: 2022-01-23T00:00:00+08:00, to: 2022-03-01T00:00:00+08:00, admission: everyone }
        +     rewards:
        = f.yaml:14:25: error: withdrawal opens before the phase begins, 2022-01-24T00:00:00.000+08:00
        |  (phases.live.withdrawal.from)
        = f.yaml: refused: 1 error
        ## a withdrawal gate without an end
        -     rewards:
        +     withdrawal: { from: 2022-01-24T00:00:00+08:00, admission: everyone }
        +     rewards:
        = f.yaml:14:17: error: 'to' is missing (phases.live.withdrawal)
        = f.yaml: refused: 1 error
        ## unknown keys everywhere
        - title: Small
        + titel: Small
        - number: 2
        + number: 2
        +         color: red
        = f.yaml:1:1: error: 'title' is missing
        = f.yaml:3:1: error: unknown key 'titel' (titel)
        =     hint: did you mean title?
        = f.yaml:28:9: error: unknown key 'color' (phases.live.scenes.film.color)
        =     hint: possible here: number, play, gives, bill, orders, cap, budget, quota, windows, apps,
        |  posting, rateLimit, retry, inventory, fallback, draw, reconciliation
        = f.yaml: refused: 3 errors
        ## an instant without an offset
        - from: 2022-01-24T00:00:00+08:00
        + from: 2022-01-24T00:00:00
        = f.yaml:9:11: error: '2022-01-24T00:00:00' is not an instant (phases.live.from)
        =     hint: write it as 2022-01-31T19:30:00+08:00, with .000 for milliseconds, or in milliseconds since
        |  1970
        = f.yaml: refused: 1 error
        ## a day that doesn't exist
        - from: 2022-01-24T00:00:00+08:00
        + from: 2022-01-32T00:00:00+08:00
        = f.yaml:9:11: error: '2022-01-32T00:00:00+08:00' is not an instant (phases.live.from)
        =     hint: write it as 2022-01-31T19:30:00+08:00, with .000 for milliseconds, or in milliseconds since
        |  1970
        = f.yaml: refused: 1 error
        ## an instant in seconds with a fraction
        - from: 2022-01-24T00:00:00+08:00
        + from: 1642953600.5
        = f.yaml:9:11: error: '1642953600.5' is not an instant (phases.live.from)
        =     hint: write it as 2022-01-31T19:30:00+08:00, with .000 for milliseconds, or in milliseconds since
        |  1970
        = f.yaml: refused: 1 error
        ## an instant in milliseconds is fine
        - from: 2022-01-24T00:00:00+08:00
        + from: 1642953600000
        = f.yaml: campaign small, number 7, is valid: 1 app, live with 2 scenes
        ## ranges that can't be
        - rains: 1-20, awardTypes: 1-2, stages: 0-9
        + rains: 20-1, awardTypes: [1, 1], stages: 0-256
        = f.yaml:25:26: error: the range 20-1 is turned around (phases.live.scenes.rain.orders.rains)
        = f.yaml:25:48: error: a number of '1' is there already (phases.live.scenes.rain.orders.awardTypes[1])
        = f.yaml:25:60: error: 256 is more than 255, the largest that fits in an order number
        |  (phases.live.scenes.rain.orders.stages)
        = f.yaml: refused: 3 errors
        ## ranges that are not ranges
        - rains: 1-20, awardTypes: 1-2, stages: 0-9
        + rains: 1-2-3, awardTypes: "1", stages: []
        = f.yaml:25:26: error: must be a number or a range, but is '1-2-3' (phases.live.scenes.rain.orders.rains)
        =     hint: write 3 or 1-20
        = f.yaml:25:45: error: must be a number or a range, but is the text '1'
        |  (phases.live.scenes.rain.orders.awardTypes)
        =     hint: write 3 or 1-20
        = f.yaml:25:58: error: must have 1 to 64 numbers or ranges, but has 0
        |  (phases.live.scenes.rain.orders.stages)
        = f.yaml: refused: 3 errors
        ## text that is not text
        - title: Small
        + title: 2022
        - bill: Rain
        + bill: yes
        - bill: Film
        + bill: [Film]
        = f.yaml:3:8: error: must be text, but is '2022' (title)
        =     hint: put it in quotes to say text
        = f.yaml:22:15: error: must be text, but is 'yes' (phases.live.scenes.rain.bill)
        =     hint: put it in quotes to say text
        = f.yaml:30:15: error: must be text, but is a list (phases.live.scenes.film.bill)
        = f.yaml: refused: 3 errors
        ## text that people can't read
        - title: Small
        + title: "a\u202Eb"
        - bill: Rain
        + bill: ""
        - bill: Film
        + bill: "two\nlines"
        = f.yaml:3:8: error: 'a\u{202e}b' can't be shown to people (title)
        =     hint: 1 to 64 printable characters, one line
        = f.yaml:22:15: error: '' can't be shown to people (phases.live.scenes.rain.bill)
        =     hint: 1 to 64 printable characters, one line
        = f.yaml:30:15: error: 'two\u{a}lines' can't be shown to people (phases.live.scenes.film.bill)
        =     hint: 1 to 64 printable characters, one line
        = f.yaml: refused: 3 errors
        ## a key that can't be
        - key: small
        + key: Small_1
        = f.yaml:1:6: error: 'Small_1' can't be a key (key)
        =     hint: a key has 1 to 64 of a-z, 0-9 and -
        = f.yaml: refused: 1 error
        ## words that aren't ours
        - bill: Rain
        + bill: Rain
        +         posting: later
        +         retry: true
        - play: fireworks
        + play: firework
        = f.yaml:23:18: error: 'later' is not possible here (phases.live.scenes.rain.posting)
        =     hint: possible here: async, sync
        = f.yaml:24:16: error: 'true' is not possible here (phases.live.scenes.rain.retry)
        =     hint: possible here: on, off
        = f.yaml:30:15: error: 'firework' is not possible here (phases.live.scenes.film.play)
        =     hint: did you mean fireworks?
        = f.yaml: refused: 3 errors
        ## an unknown kind of reward (CF-9)
        - kind: film
        + kind: filmm
        = f.yaml:16:21: error: 'filmm' is not possible here (phases.live.rewards.film.kind)
        =     hint: did you mean film?
        = f.yaml: refused: 1 error
        ## maps that are not maps
        -   douyin: { number: 1, name: 抖音, family: douyin }
        +   - douyin
        -     rewards:
        -       cash: { kind: cash, ids: { cash-rain: 101 } }
        +     rewards:
        +       cash: cash
        = f.yaml:5:3: error: must be a map of keys and values, but is a list (apps)
        = f.yaml:15:13: error: must be a map of keys and values, but is 'cash' (phases.live.rewards.cash)
        = f.yaml:21:17: error: unknown reward ID 'cash-rain' (phases.live.scenes.rain.gives[0])
        =     hint: possible here: film-ticket
        = f.yaml: refused: 3 errors
        ## an anchor and an alias
        - admission: everyone
        + admission: &who { basisPoints: 5 }
        - bill: Film
        + bill: *who
        = f.yaml:11:16: error: there is an anchor, 'who' (phases.live.admission)
        =     hint: anchors and aliases are not allowed: write the values out
        = f.yaml: refused: 1 error
        ## an alias to nothing
        - bill: Film
        + bill: *who
        = f.yaml:30:15: error: there is an alias
        =     hint: anchors and aliases are not allowed: write the values out
        = f.yaml: refused: 1 error
        ## a tag
        - cap: 200
        -         b
        + cap: !!int 200
        +         b
        = f.yaml:23:14: error: the tag 'tag:yaml.org,2002:int' is not allowed (phases.live.scenes.rain.cap)
        =     hint: write the plain value
        = f.yaml: refused: 1 error
        ## a key that is a list
        - title: Small
        + ? [title]
        + : Small
        = f.yaml:3:3: error: a key must be a word
        = f.yaml: refused: 1 error
        ## deep nesting
        - title: Small
        + title: [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]
        = f.yaml:3:24: error: is nested deeper than 16 levels
        |  (title[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0])
        = f.yaml: refused: 1 error
        ## two documents
        - title: Small
        + title: Small
        + ---
        + a: b
        = f.yaml:4:1: error: the file is not YAML: expected a single document in the stream but found another
        |  document
        = f.yaml: refused: 1 error
        ## an unclosed list
        - gives: [cash-rain]
        + gives: [cash-rain
        = f.yaml:22:13: error: the file is not YAML: while parsing a flow sequence did not find expected ',' or
        |  ']'
        = f.yaml: refused: 1 error
        ## a tab
        -     admission: everyone
        + {TAB}admission: everyone
        = f.yaml:11:1: error: the file is not YAML: while scanning a plain scalar found a tab character that
        |  violates indentation
        = f.yaml: refused: 1 error
        ## a control character
        - title: Small
        + title: Sm{BEL}all
        = f.yaml:3:10: error: the character \u{7} is not allowed in the file
        = f.yaml: refused: 1 error
        ## a mark that turns the direction of text
        - title: Small
        + title: Small # {RLO}
        = f.yaml:3:16: error: the character \u{202e} is not allowed in the file
        = f.yaml: refused: 1 error
        """#
}
