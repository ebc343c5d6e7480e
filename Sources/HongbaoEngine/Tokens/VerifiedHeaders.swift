import HongbaoCore

/// Headers whose signature was found good, with that signature, as many as fit; the oldest makes room for the newest.
///
/// The signature is compared too: a token with a good header and a bad signature is as bad as before.
struct VerifiedHeaders: Sendable {
    private struct Entry {
        let header: BatchHeader
        let signature: [UInt8]
    }

    let max: Int
    private var entries: [UInt128: Entry] = [:]
    /// The nonces in order of arrival; once full, `oldest` is the next to be replaced.
    private var order: [UInt128] = []
    private var oldest = 0

    init(max: Int) {
        precondition(max > 0)
        self.max = max
    }

    var count: Int { entries.count }

    func contains(_ token: GrantToken) -> Bool {
        guard let entry = entries[token.header.nonce] else { return false }
        return entry.header == token.header && entry.signature.elementsEqual(token.signature)
    }

    mutating func insert(_ token: GrantToken) {
        let nonce = token.header.nonce
        let entry = Entry(header: token.header, signature: Array(token.signature))
        guard entries.updateValue(entry, forKey: nonce) == nil else { return }
        if order.count < max {
            order.append(nonce)
        } else {
            entries[order[oldest]] = nil
            order[oldest] = nonce
            oldest = (oldest + 1) % max
        }
    }
}
