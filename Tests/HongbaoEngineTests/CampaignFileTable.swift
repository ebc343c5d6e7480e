/// A small file that is valid, changed in places so that it isn't, and what must be said of it.
struct BadFile: CustomStringConvertible, Sendable {
    let description: String
    var changes: [(old: String, new: String)] = []
    var expected = ""

    /// Reads a table: `##` names a case, `-` and `+` are what to find and what to put there, `=` is the result, and
    /// `|` goes on with the line before.
    static func table(_ text: String) -> [BadFile] {
        let text = text.replacing("{TAB}", with: "\t").replacing("{BEL}", with: "\u{7}")
            .replacing("{RLO}", with: "\u{202E}")
        var files: [BadFile] = []
        var last: Character = " "
        for line in text.split(separator: "\n") {
            let mark = line.first ?? " "
            let rest = String(line.dropFirst(2))
            if mark == "#" {
                files.append(BadFile(description: String(rest.dropFirst())))
            } else if var file = files.popLast() {
                file.add(rest, mark: mark, isFirst: mark != last)
                files.append(file)
            }
            last = mark
        }
        return files
    }

    private mutating func add(_ line: String, mark: Character, isFirst: Bool) {
        let separator = isFirst ? "" : "\n"
        switch mark {
        case "-" where isFirst: changes.append((line, ""))
        case "-": changes[changes.count - 1].old += separator + line
        case "+": changes[changes.count - 1].new += separator + line
        case "=": expected += (expected.isEmpty ? "" : "\n") + line
        default: expected += line
        }
    }
}

enum CampaignFileTable {
    static let valid = """
        key: small
        number: 7
        title: Small
        apps:
          douyin: { number: 1, name: 抖音, family: douyin }
        phases:
          # PHASE2
          live:
            from: 2022-01-24T00:00:00+08:00
            to: 2022-02-07T00:00:00+08:00
            admission: everyone
            budget: 1000
            cap: 200
            rewards:
              cash: { kind: cash, ids: { cash-rain: 101 } }
              film: { kind: film, ids: { film-ticket: 1001 } }
            scenes:
              rain:
                number: 1
                play: rain
                gives: [cash-rain]
                bill: Rain
                cap: 200
                budget: 1000
                orders: { rains: 1-20, awardTypes: 1-2, stages: 0-9 }
              film:
                number: 2
                play: fireworks
                gives: [film-ticket]
                bill: Film
                orders: { rains: 1, awardTypes: 1, stages: 0 }
        """

    static let cases = BadFile.table(structure) + BadFile.table(values)
}

extension CampaignFileTable {
    private static let structure = #"""
        ## overlapping phases (CF-5)
        -   # PHASE2
        +   rollout:
        +     from: 2022-01-20T00:00:00+08:00
        +     to: 2022-01-24T00:00:00.001+08:00
        +     admission: everyone
        +     rewards: { film: { kind: film, ids: { film-ticket: 1 } } }
        +     scenes:
        +       film:
        +         number: 2
        +         play: fireworks
        +         gives: [film-ticket]
        +         bill: Film
        +         orders: { rains: 1, awardTypes: 1, stages: 0 }
        = f.yaml:19:3: error: overlaps the phase rollout, 2022-01-20T00:00:00.000+08:00 to
        |  2022-01-24T00:00:00.001+08:00 (phases.live)
        =     hint: a phase ends where the next begins: 'to' is the first instant that is no longer in it
        = f.yaml: refused: 1 error
        ## a phase that ends as it begins
        - to: 2022-02-07T00
        + to: 2022-01-24T00
        = f.yaml:10:9: error: 'to' is not after 'from', 2022-01-24T00:00:00.000+08:00 (phases.live.to)
        = f.yaml: refused: 1 error
        ## an unknown phase
        -   live:
        +   lives:
        = f.yaml:8:3: warning: there is no live phase (phases)
        = f.yaml:8:3: error: unknown phase 'lives' (phases.lives)
        =     hint: did you mean live?
        = f.yaml: refused: 1 error
        ## no live phase is only a warning
        -   live:
        +   rollout:
        = f.yaml:8:3: warning: there is no live phase (phases)
        = f.yaml: campaign small, number 7, is valid: 1 app, rollout with 2 scenes; 1 warning
        ## an unknown reward ID
        - gives: [cash-rain]
        + gives: [cash-rein]
        = f.yaml:15:34: warning: no scene gives 'cash-rain' (phases.live.rewards.cash.ids.cash-rain)
        = f.yaml:21:17: error: unknown reward ID 'cash-rein' (phases.live.scenes.rain.gives[0])
        =     hint: did you mean cash-rain?
        = f.yaml: refused: 1 error
        ## an unknown app
        - bill: Film
        + bill: Film
        +         apps: [douyin, weibo]
        = f.yaml:31:24: error: unknown app 'weibo' (phases.live.scenes.film.apps[1])
        =     hint: possible here: douyin
        = f.yaml: refused: 1 error
        ## the same app twice
        - bill: Film
        + bill: Film
        +         apps: [douyin, douyin]
        = f.yaml:31:24: error: the app 'douyin' is there twice (phases.live.scenes.film.apps[1])
        = f.yaml: refused: 1 error
        ## a scene with two kinds (CF-2)
        - gives: [film-ticket]
        + gives: [film-ticket, cash-rain]
        = f.yaml:29:16: error: gives rewards of more than one kind: film, cash (phases.live.scenes.film.gives)
        =     hint: a scene gives exactly one kind; make a scene for each
        = f.yaml: refused: 1 error
        ## a scene that gives nothing
        - gives: [film-ticket]
        + gives: []
        = f.yaml:16:34: warning: no scene gives 'film-ticket' (phases.live.rewards.film.ids.film-ticket)
        = f.yaml:29:16: error: gives nothing (phases.live.scenes.film.gives)
        = f.yaml: refused: 1 error
        ## a template without the person (CF-5)
        -         orders: { rains: 1-20, awardTypes: 1-2, stages: 0-9 }
        +         orders:
        +           template: ${sceneID}_${rainID}_${awardType}_${stage}
        +           rains: 1-20
        +           awardTypes: 1-2
        +           stages: 0
        = f.yaml:26:21: error: ${personID} is missing, so one grant for each person, scene and round is not sure:
        |  only the first of all people would get one (phases.live.scenes.rain.orders.template)
        =     hint: write ${personID}_${sceneID}_${rainID}_${awardType}_${stage}
        = f.yaml: refused: 1 error
        ## a template without the scene
        -         orders: { rains: 1-20, awardTypes: 1-2, stages: 0-9 }
        +         orders:
        +           template: ${personID}_${rainID}_${awardType}_${stage}
        +           rains: 1-20
        +           awardTypes: 1-2
        +           stages: 0
        = f.yaml:26:21: error: ${sceneID} is missing, so one grant for each person, scene and round is not sure:
        |  one scene would use up the grants of the others (phases.live.scenes.rain.orders.template)
        =     hint: write ${personID}_${sceneID}_${rainID}_${awardType}_${stage}
        = f.yaml: refused: 1 error
        ## a template without the round
        -         orders: { rains: 1-20, awardTypes: 1-2, stages: 0-9 }
        +         orders:
        +           template: ${personID}_${sceneID}_${awardType}_${stage}
        +           rains: 1-20
        +           awardTypes: 1-2
        +           stages: 0
        = f.yaml:26:21: error: ${rainID} is missing, so one grant for each person, scene and round is not sure: a
        |  person would get one in one round only (phases.live.scenes.rain.orders.template)
        =     hint: write ${personID}_${sceneID}_${rainID}_${awardType}_${stage}
        = f.yaml: refused: 1 error
        ## a template without an award type that varies
        -         orders: { rains: 1-20, awardTypes: 1-2, stages: 0-9 }
        +         orders:
        +           template: ${personID}_${sceneID}_${rainID}_${stage}
        +           rains: 1-20
        +           awardTypes: 1-2
        +           stages: 0
        = f.yaml:26:21: error: ${awardType} is missing, so one grant for each person, scene and round is not
        |  sure: a person would get one award type only (phases.live.scenes.rain.orders.template)
        =     hint: write ${personID}_${sceneID}_${rainID}_${awardType}_${stage}
        = f.yaml: refused: 1 error
        ## a template may leave out what doesn't vary
        -         orders: { rains: 1-20, awardTypes: 1-2, stages: 0-9 }
        +         orders:
        +           template: ${personID}_${sceneID}_${rainID}_${awardType}
        +           rains: 1-20
        +           awardTypes: 1-2
        +           stages: 0
        = f.yaml: campaign small, number 7, is valid: 1 app, live with 2 scenes
        ## a template with fixed text
        -         orders: { rains: 1-20, awardTypes: 1-2, stages: 0-9 }
        +         orders:
        +           template: grant_${personID}_${sceneID}_${rainID}_${awardType}_${stage}
        +           rains: 1-20
        +           awardTypes: 1-2
        +           stages: 0
        = f.yaml:26:21: error: 'grant' is not a part of an order number (phases.live.scenes.rain.orders.template)
        =     hint: write ${personID}_${sceneID}_${rainID}_${awardType}_${stage}
        = f.yaml: refused: 1 error
        ## a template with a part twice
        -         orders: { rains: 1-20, awardTypes: 1-2, stages: 0-9 }
        +         orders:
        +           template: ${personID}_${personID}_${sceneID}_${rainID}_${awardType}_${stage}
        +           rains: 1-20
        +           awardTypes: 1-2
        +           stages: 0
        = f.yaml:26:21: error: ${personID} is in the template twice (phases.live.scenes.rain.orders.template)
        = f.yaml: refused: 1 error
        ## a template in another order
        -         orders: { rains: 1-20, awardTypes: 1-2, stages: 0-9 }
        +         orders:
        +           template: ${sceneID}_${personID}_${rainID}_${awardType}_${stage}
        +           rains: 1-20
        +           awardTypes: 1-2
        +           stages: 0
        = f.yaml:26:21: error: the parts are not in the order of an order number
        |  (phases.live.scenes.rain.orders.template)
        =     hint: write ${personID}_${sceneID}_${rainID}_${awardType}_${stage}
        = f.yaml: refused: 1 error
        ## a template that is empty
        -         orders: { rains: 1-20, awardTypes: 1-2, stages: 0-9 }
        +         orders:
        +           template: 
        +           rains: 1-20
        +           awardTypes: 1-2
        +           stages: 0
        = f.yaml:26:20: error: must be a template, but is empty (phases.live.scenes.rain.orders.template)
        =     hint: write ${personID}_${sceneID}_${rainID}_${awardType}_${stage}
        = f.yaml: refused: 1 error
        ## budgets that don't add up (BU-1)
        -     budget: 1000
        -     cap
        +     budget: 999
        +     cap
        = f.yaml:12:13: error: the cash scenes' budgets add up to 1000 fen, 1 fen more than the phase has
        |  (phases.live.budget)
        = f.yaml: refused: 1 error
        ## budget that belongs to no scene
        -     budget: 1000
        -     cap
        +     budget: 1001
        +     cap
        = f.yaml:12:13: warning: 1 fen of the budget belong to no scene (phases.live.budget)
        = f.yaml: campaign small, number 7, is valid: 1 app, live with 2 scenes; 1 warning
        ## a cap above the scene's budget (BU-2)
        -         cap: 200
        +         cap: 1001
        = f.yaml:23:14: error: the cap of 1001 fen is above the budget of 1000 fen (phases.live.scenes.rain.cap)
        = f.yaml:23:14: error: the cap of 1001 fen is above the phase's cap of 200 fen
        |  (phases.live.scenes.rain.cap)
        = f.yaml: refused: 2 errors
        ## a scene's cap above the phase's cap
        -         cap: 200
        +         cap: 201
        = f.yaml:23:14: error: the cap of 201 fen is above the phase's cap of 200 fen
        |  (phases.live.scenes.rain.cap)
        = f.yaml: refused: 1 error
        ## a phase's cap above its budget
        -     cap: 200
        -     rew
        +     cap: 1001
        +     rew
        = f.yaml:13:10: error: the cap of 1001 fen is above the budget of 1000 fen (phases.live.cap)
        = f.yaml: refused: 1 error
        ## a cash scene without cap and budget
        -         cap: 200
        -         budget: 1000
        +
        = f.yaml:19:9: error: 'budget' is missing: the scene gives cash (phases.live.scenes.rain)
        = f.yaml:19:9: error: 'cap' is missing: the scene gives cash (phases.live.scenes.rain)
        = f.yaml: refused: 2 errors
        ## a phase with cash but without budget and cap
        -     budget: 1000
        -     cap: 200
        -     rew
        +     rew
        = f.yaml:8:3: error: 'budget' is missing: the scene 'rain' gives cash (phases.live)
        = f.yaml:8:3: error: 'cap' is missing: the scene 'rain' gives cash (phases.live)
        = f.yaml: refused: 2 errors
        ## a coupon scene with a cap
        - bill: Film
        + bill: Film
        +         cap: 5
        = f.yaml:31:14: error: film carries no amount, so it has no cap (phases.live.scenes.film.cap)
        = f.yaml: refused: 1 error
        ## cash with an inventory
        - bill: Rain
        + bill: Rain
        +         inventory: on
        = f.yaml:23:20: error: cash has no inventory: its budget bounds it (phases.live.scenes.rain.inventory)
        =     hint: write off
        = f.yaml: refused: 1 error
        """#
}
