import HongbaoCore
import HongbaoEngine

/// No token is accepted but those that were minted, and everything that is read has one encoding.
enum TokenProperties {
    private static let verifier = FuzzTokens.shared.verifier()

    static func check(_ input: [UInt8]) throws(FuzzBreach) {
        try checkRefused(input)
        try checkRefused(edited(input))
        if case .token(let token) = GrantToken.parse(input[...]) {
            var header: [UInt8] = []
            token.header.append(to: &header)
            try hold(input.prefix(BatchHeader.size) == header[...], "a header has two encodings")
            try hold(Array(token.preamble + token.leaf + token.path) == input, "a token's parts aren't the whole")
        }
        if let certificate = MintCertificate(input) {
            try hold(certificate.bytes == input, "a certificate has two encodings")
        }
        if let payload = GrantPayload(input[...]) {
            var bytes: [UInt8] = []
            payload.append(to: &bytes)
            try hold(bytes == input, "a payload has two encodings")
        }
    }

    private static func checkRefused(_ bytes: [UInt8]) throws(FuzzBreach) {
        guard case .valid = verifier.verify(bytes, now: FuzzTokens.now) else { return }
        try hold(FuzzTokens.shared.tokens.contains { $0.bytes == bytes }, "a forged token was accepted")
    }

    /// The input as a list of changes to a good token, because no fuzzer can sign: the token's number, then for each
    /// change two bytes of position and one to put there by exclusive or.
    private static func edited(_ input: [UInt8]) -> [UInt8] {
        guard let first = input.first else { return [] }
        let tokens = FuzzTokens.shared.tokens
        return edited(tokens[Int(first) % tokens.count].bytes, by: input.dropFirst())
    }

    static func edited(_ good: [UInt8], by edits: ArraySlice<UInt8>) -> [UInt8] {
        var bytes = good
        var rest = edits
        while rest.count >= 3 {
            let edit = Array(rest.prefix(3))
            let position = (Int(edit[0]) << 8 | Int(edit[1])) % bytes.count
            bytes[position] ^= edit[2]
            rest = rest.dropFirst(3)
        }
        return bytes
    }
}

/// Whatever is in the log is opened or refused, and no damage passes for a whole batch.
enum RecordProperties {
    private static let verifier = FuzzTokens.shared.verifier()

    static func check(_ input: [UInt8]) throws(FuzzBreach) {
        try checkOne(input)
        guard let first = input.first else { return }
        let batches = FuzzTokens.shared.batches
        let good = batches[Int(first) % batches.count]
        let choices = (0..<good.count).map { index in
            let meant = UInt16(first) & UInt16(index)
            return RewardChoice(meant: meant, given: first < 128 ? 0 : UInt16(index) & 3)
        }
        let record = LogRecord(batch: good, choices: choices)
        try hold(LogRecord(record.bytes) == record, "a record isn't read as it was written")
        try checkOne(TokenProperties.edited(record.bytes, by: input.dropFirst()))
    }

    private static func checkOne(_ bytes: [UInt8]) throws(FuzzBreach) {
        guard let record = LogRecord(bytes) else { return }
        try hold(record.bytes == bytes, "a record has two encodings")
        guard verifier.refusal(of: record.batch, now: FuzzTokens.now) == nil, isWhole(record.batch) else { return }
        try hold(FuzzTokens.shared.batches.contains(record.batch), "a damaged batch passes for whole")
    }

    private static func isWhole(_ batch: SealedBatch) -> Bool {
        let reader = FuzzTokens.shared.reader(batch)
        do {
            _ = try reader.payloads()
            return try reader.tokens().count == batch.count
        } catch {
            return false
        }
    }
}
