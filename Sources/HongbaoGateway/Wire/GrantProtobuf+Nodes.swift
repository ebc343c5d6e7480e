package import HongbaoCore

/// What one node says to another: the requests that it forwards, and the results that it reads.
extension GrantProtobuf {
    static func bytes(_ requests: [GrantRequest]) -> [UInt8] {
        var proto = ProtobufWriter(capacity: requests.count * 80)
        var item = ProtobufWriter(capacity: 128)
        for request in requests {
            item.removeAll()
            write(request, to: &item)
            proto.bytes(1, item.bytes)
        }
        return proto.bytes
    }

    private static func write(_ request: GrantRequest, to proto: inout ProtobufWriter) {
        proto.bytes(1, request.campaign.utf8)
        proto.bytes(2, request.scene.utf8)
        proto.varint(3, UInt64(request.rain.rawValue))
        proto.varint(4, UInt64(request.awardType))
        proto.varint(5, UInt64(request.stage))
        proto.fixed64(6, request.person.rawValue)
        proto.bytes(7, request.app.utf8)
        if let amount = request.amount { proto.varint(8, UInt64(bitPattern: amount)) }
        if let id = request.rewardID { proto.bytes(9, id.utf8) }
        if let openedAt = request.openedAt { proto.varint(10, UInt64(bitPattern: openedAt.milliseconds)) }
        if let order = request.order { proto.bytes(11, OrderText.bytes(order)) }
    }

    package static func bytes(_ results: [Result<Granted, Problem>]) -> [UInt8] {
        var proto = ProtobufWriter(capacity: results.count * 420)
        var item = ProtobufWriter(capacity: 512)
        for result in results {
            item.removeAll()
            switch result {
            case .success(let granted): write(granted, to: &item)
            case .failure(let problem): write(problem, to: &item)
            }
            proto.bytes(1, item.bytes)
        }
        return proto.bytes
    }

    // MARK: Reading results

    /// Reads the results of a batch as strictly as requests are read; `nil` unless all can be.
    package static func results(_ bytes: [UInt8], max: Int) -> [Result<Granted, Problem>]? {
        var results: [Result<Granted, Problem>] = []
        var rewards = NameCache()
        var reader = ProtobufReader(bytes[...])
        do throws(ProtobufReader.Fault) {
            while !reader.isAtEnd {
                let (number, type) = try reader.field(repeated: true)
                guard number == 1, results.count < max else { return nil }
                results.append(try result(try reader.slice(type), &rewards))
            }
        } catch {
            return nil
        }
        return results
    }

    private static func result(
        _ bytes: ArraySlice<UInt8>,
        _ rewards: inout NameCache
    ) throws(ProtobufReader.Fault) -> Result<Granted, Problem> {
        var order: OrderNumber?
        var status: GrantStatus?
        var amount = Amount.zero
        var rewardID: String?
        var (fallback, blessing): (String?, String?)
        var token: [UInt8] = []
        var isReplay = false
        var problem: Problem?
        var reader = ProtobufReader(bytes)
        var count = 0
        while !reader.isAtEnd {
            let (number, type) = try reader.field()
            count += 1
            switch number {
            case 1: order = try reader.order(type)
            case 2: status = GrantStatus(rawValue: try reader.varint(type, as: UInt8.self))
            case 3: amount = Amount(fen: try reader.varint(type, as: Int64.self, in: 0...Int64.max)) ?? .zero
            case 4: rewardID = try reader.name(type, &rewards)
            case 5: fallback = try reader.text(type)
            case 6: token = Array(try reader.slice(type))
            case 7: isReplay = try reader.varint(type, as: UInt8.self, in: 0...1) == 1
            case 8: problem = try self.problem(try reader.slice(type))
            case 9: blessing = try reader.text(type)
            default: throw ProtobufReader.Fault(reason: .unknownField)
            }
        }
        if let problem {
            guard count == 1 else { throw ProtobufReader.Fault(reason: .unknownField) }
            return .failure(problem)
        }
        let given: GivenFallback?
        switch (fallback, blessing) {
        case (nil, nil): given = nil
        case ("backup", nil): given = .backup
        case ("blessing", let text?): given = .blessing(text)
        default: throw ProtobufReader.Fault(reason: .outOfRange)
        }
        guard let order, let status, !token.isEmpty else { throw ProtobufReader.Fault(reason: .outOfRange) }
        return .success(
            Granted(
                order: order,
                status: status,
                amount: amount,
                rewardID: rewardID,
                fallback: given,
                token: token,
                isReplay: isReplay
            )
        )
    }

    /// All but the field and the details follows from the code. One that isn't known here, as when the other node is
    /// newer, becomes the one of which the caller thinks alike.
    private static func problem(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Fault) -> Problem {
        var (code, detail, param): (String?, String?, String?)
        var isRetryable = false
        var reader = ProtobufReader(bytes)
        while !reader.isAtEnd {
            let (number, type) = try reader.field()
            switch number {
            case 1, 2, 8: _ = try reader.text(type)
            case 3: _ = try reader.varint(type, as: UInt32.self)
            case 4: detail = try reader.text(type)
            case 5: code = try reader.text(type)
            case 6: param = try reader.text(type)
            case 7: isRetryable = try reader.varint(type, as: UInt8.self, in: 0...1) == 1
            default: throw ProtobufReader.Fault(reason: .unknownField)
            }
        }
        guard let code else { throw ProtobufReader.Fault(reason: .outOfRange) }
        let known = ErrorCode(rawValue: code) ?? (isRetryable ? .unavailable : .internal)
        return Problem(known, param: param, detail: detail == known.row.title ? nil : detail)
    }
}

extension ProtobufReader {
    mutating func text(_ type: WireType) throws(Fault) -> String {
        guard let text = String(validating: try slice(type), as: UTF8.self) else { throw Fault(reason: .malformed) }
        return text
    }

    mutating func order(_ type: WireType) throws(Fault) -> OrderNumber {
        guard let order = OrderNumber(try text(type)) else { throw Fault(reason: .outOfRange) }
        return order
    }
}
