import HongbaoCore

/// Headers whose signature was found good, with that signature, as many as fit; the oldest makes room for the newest.
///
/// The signature is compared too: a token with a good header and a bad signature is as bad as before.
struct VerifiedHeaders: Sendable {
    let max: Int
    /// Header and signature, by the header's nonce.
    private var preambles: [UInt128: [UInt8]] = [:]
    /// The nonces in order of arrival; once full, `oldest` is the next to be replaced.
    private var order: [UInt128] = []
    private var oldest = 0

    init(max: Int) {
        precondition(max > 0)
        self.max = max
    }

    var count: Int { preambles.count }

    func contains(_ preamble: ArraySlice<UInt8>, nonce: UInt128) -> Bool {
        preambles[nonce].map { $0[...] == preamble || Mutant.isOn(.ignoresKnownSignature) } ?? false
    }

    mutating func insert(_ preamble: ArraySlice<UInt8>, nonce: UInt128) {
        guard preambles.updateValue(Array(preamble), forKey: nonce) == nil else { return }
        if order.count < max {
            order.append(nonce)
        } else {
            preambles[order[oldest]] = nil
            order[oldest] = nonce
            oldest = (oldest + 1) % max
        }
    }
}
