import HongbaoCore
import HongbaoEngine
import NIOCore

/// What a request to send a red packet asks for, before its campaign is known.
struct RedPacketRequest: Sendable {
    private enum Field: String, CaseIterable {
        case id, kind, campaign, amount, count, split, scope, listed, greeting, video, subsidy, token
    }
    private static let fields = JSONFields<Field>()
    private static let tokenLength = 1...4_096

    var id = ""
    var kind = RedPacketKind.c2c
    var campaign: String?
    /// `nil` is the subsidy's own.
    var amount: Amount?
    var count = 0
    var split = SplitKind.lucky
    var scope = RecipientScope.everyone
    var greeting = ""
    var video = ""
    var subsidy: PacketServices.Subsidy?

    /// What stands in the body, checked as far as that goes without knowing anything else.
    init(_ body: ByteBuffer, _ limits: RedPacketLimits) throws(Problem) {
        do throws(JSONFault) {
            try read(body, limits)
        } catch {
            throw Problem(error)
        }
        guard let amount else {
            if subsidy == nil { throw Problem(.amountInvalid, param: "amount") }
            return
        }
        guard amount.fen <= limits.amountMax else {
            throw Problem(.amountInvalid, param: "amount", detail: "At most \(limits.amountMax) fen for one packet.")
        }
    }

    private mutating func read(_ body: ByteBuffer, _ limits: RedPacketLimits) throws(JSONFault) {
        var reader = JSONReader(body)
        var cache = NameCache()
        var seen = Set<Field>()
        var (order, token): (OrderNumber?, [UInt8]?)
        var listed: [PersonID]?
        var isListed = false
        try reader.object(Self.fields) { reader, field throws(JSONFault) in
            seen.insert(field)
            switch field {
            case .id: id = String(decoding: try reader.ascii(length: 1...WithdrawalKey.idLengthMax), as: UTF8.self)
            case .kind: kind = try Self.choice(&reader, RedPacketKind.allCases, \.name)
            case .campaign: campaign = try reader.name(&cache)
            case .amount: amount = Amount(fen: try reader.integer(Int64.self, in: 1...Int64.max))
            case .count: count = Int(try reader.integer(Int64.self, in: 1...limits.countMax))
            case .split: split = try Self.choice(&reader, SplitKind.allCases, \.name)
            case .scope:
                let word = try Self.choice(&reader, ScopeWord.allCases, \.rawValue)
                isListed = word == .listed
                scope = word.scope
            case .listed:
                var persons: [PersonID] = []
                try reader.array(max: RecipientScope.listedMax) { reader throws(JSONFault) in
                    persons.append(PersonID(try reader.decimal(UInt64.self)))
                }
                listed = persons
            case .greeting: greeting = try Self.greeting(&reader, bytesMax: limits.greetingBytesMax)
            case .video: video = try reader.identifier(length: 1...RedPacket.Cover.bytesMax)
            case .subsidy:
                order = OrderNumber(String(decoding: try reader.ascii(length: 1...OrderText.lengthMax), as: UTF8.self))
                guard order != nil else { throw reader.fault(.outOfRange) }
            case .token:
                token = Base64URL.decode(try reader.ascii(length: Self.tokenLength))
                guard token != nil else { throw reader.fault(.unacceptableCharacter) }
            }
        }
        try reader.finish()
        for field in [Field.id, .kind, .count, .split, .scope] where !seen.contains(field) { throw .missing(field) }
        if isListed {
            guard let listed else { throw .missing(Field.listed) }
            guard let list = RecipientScope.list(listed) else {
                throw JSONFault(.outOfRange, field: Field.listed.rawValue)
            }
            scope = list
        } else if listed != nil {
            throw JSONFault(.unknownField, field: Field.listed.rawValue)
        }
        switch kind.source {
        case .payment:
            if order != nil { throw JSONFault(.unknownField, field: Field.subsidy.rawValue) }
            if token != nil { throw JSONFault(.unknownField, field: Field.token.rawValue) }
        case .subsidy:
            guard let order else { throw .missing(Field.subsidy) }
            subsidy = PacketServices.Subsidy(order: order, token: token)
        }
    }

    private enum ScopeWord: String, CaseIterable {
        case everyone, followers, friends, listed

        /// Of `listed`, one without anybody: who is on the list comes in a field of its own.
        var scope: RecipientScope {
            switch self {
            case .everyone: .everyone
            case .followers: .followers
            case .friends: .friends
            case .listed: .listed([])
            }
        }
    }

    private static func choice<Choice>(
        _ reader: inout JSONReader,
        _ choices: [Choice],
        _ name: (Choice) -> String
    ) throws(JSONFault) -> Choice {
        let text = try reader.identifier()
        guard let choice = choices.first(where: { name($0) == text }) else { throw reader.fault(.outOfRange) }
        return choice
    }

    /// Without what could make the page look like something else; emoji may be joined.
    private static func greeting(_ reader: inout JSONReader, bytesMax: Int) throws(JSONFault) -> String {
        let text = try reader.string(length: 0...bytesMax)
        let isFit = text.unicodeScalars.allSatisfy { $0.isAcceptableInIdentifier || $0 == "\u{200D}" }
        guard isFit else { throw reader.fault(.unacceptableCharacter) }
        return text
    }
}

extension RecipientScope {
    var name: String {
        switch self {
        case .everyone: "everyone"
        case .followers: "followers"
        case .friends: "friends"
        case .listed: "listed"
        }
    }
}

extension RedPacket {
    /// How it looks to people at that time: whoever looks sees that the time is over before anybody has swept.
    func stateName(at now: Timestamp) -> String {
        switch state {
        case .created, .paying: "awaiting_payment"
        case .published: expiresAt.map { now < $0 } ?? true ? "open" : "expired"
        case .exhausted: "finished"
        case .expired: "expired"
        case .closing: sharesLeft == 0 ? "finished" : "expired"
        case .closed: refunded > .zero ? "refunded" : "finished"
        case .abandoned: "cancelled"
        }
    }
}

extension JSONWriter {
    /// A packet as one person sees it: what is left of the money is for the sender's eyes only.
    mutating func write(_ view: PacketView, isSender: Bool, at now: Timestamp) {
        let packet = view.packet
        object { json in
            json.field("packet", decimal: packet.id.rawValue)
            json.field("state", packet.stateName(at: now))
            json.field("kind", packet.kind.name)
            json.field("amount", packet.split.amount.fen)
            json.field("count", Int64(packet.split.count))
            json.field("split", packet.split.kind.name)
            json.field("scope", packet.scope.name)
            json.key("remaining")
            json.object { json in
                if isSender { json.field("amount", packet.unclaimed.fen) }
                json.field("count", Int64(packet.sharesLeft))
            }
            json.field("sender", decimal: packet.key.sender.rawValue)
            json.field("greeting", packet.cover.greeting)
            if !packet.cover.video.isEmpty { json.field("video", packet.cover.video) }
            json.field("createdAt", packet.createdAt.milliseconds)
            if let expiresAt = packet.expiresAt { json.field("expiresAt", expiresAt.milliseconds) }
            json.field("commitment", packet.seal.commitment.hex)
            guard let mine = view.mine else { return }
            json.key("mine")
            json.object { json in
                json.field("amount", mine.share.fen)
                json.field("at", mine.at.milliseconds)
                json.field("position", Int64(mine.position))
                json.field("state", mine.isThere ? "credited" : "processing")
            }
        }
    }

    /// One page of everybody's luck, and what it takes to check it once nothing can be claimed any more.
    mutating func write(_ page: ClaimPage) {
        object { json in
            json.key("claims")
            json.array { json in
                for claim in page.claims {
                    json.object { json in
                        json.field("position", Int64(claim.position))
                        json.field("person", decimal: claim.key.person.rawValue)
                        json.field("amount", claim.share.fen)
                        json.field("at", claim.at.milliseconds)
                        json.field("luckiest", page.packet.luckiest?.position == claim.position)
                    }
                }
            }
            if let next = page.next { json.field("next", "\(next)") }
            guard let seed = page.seed else { return }
            json.key("reveal")
            json.object { json in
                json.field("packet", decimal: page.packet.id.rawValue)
                json.field("amount", page.packet.split.amount.fen)
                json.field("count", Int64(page.packet.split.count))
                json.field("split", page.packet.split.kind.name)
                json.field("commitment", page.packet.seal.commitment.hex)
                json.field("seed", seed.bytes.hex)
            }
        }
    }
}

extension Claim {
    /// What goes to a wallet is in its balance from the moment that it's claimed.
    fileprivate var isThere: Bool { state == .done || kind.destination == .wallet }
}
