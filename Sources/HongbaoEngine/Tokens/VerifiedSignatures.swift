import HongbaoCore
import Synchronization

/// Signatures that were found good, or made by this process itself, with what they sign and by which key, as many as
/// fit; the oldest makes room for the newest.
///
/// Looking one up takes less than a hundredth of checking it. Verifiers may share one: what is kept is true for all.
package final class VerifiedSignatures: Sendable {
    private struct State {
        /// By domain, message and key.
        var signatures: [[UInt8]: [UInt8]] = [:]
        /// In order of arrival; once full, `oldest` is the next to be replaced.
        var statements: [[UInt8]] = []
        var oldest = 0

        mutating func keep(_ signature: [UInt8], of statement: [UInt8], max: Int) {
            guard signatures.updateValue(signature, forKey: statement) == nil else { return }
            if statements.count < max {
                statements.append(statement)
            } else {
                signatures[statements[oldest]] = nil
                statements[oldest] = statement
                oldest = (oldest + 1) % max
            }
        }
    }

    private let max: Int
    private let state = Mutex(State())

    /// - Parameter max: how many, about 600 bytes each.
    package init(max: Int = 16_384) {
        precondition(max > 0)
        self.max = max
    }

    var count: Int { state.withLock { $0.signatures.count } }

    func isValid(
        _ signature: ArraySlice<UInt8>,
        of message: ArraySlice<UInt8>,
        domain: [UInt8],
        by key: Ed25519.PublicKey
    ) -> Bool {
        let statement = Self.statement(message, domain, key)
        let known = state.withLock { $0.signatures[statement] }
        // The signature is compared too: what is good with one is as bad as before with another.
        if let known, known[...] == signature || Mutant.isOn(.ignoresKnownSignature) { return true }
        guard Ed25519.isValid(signature, of: message, domain: domain, by: key) else { return false }
        state.withLock { $0.keep(Array(signature), of: statement, max: max) }
        return true
    }

    /// Takes a signature for good without checking it: this process has made it just now.
    func keepOwn(
        _ signature: ArraySlice<UInt8>,
        of message: ArraySlice<UInt8>,
        domain: [UInt8],
        by key: Ed25519.PublicKey
    ) {
        let statement = Self.statement(message, domain, key)
        state.withLock { $0.keep(Array(signature), of: statement, max: max) }
    }

    private static func statement(
        _ message: ArraySlice<UInt8>,
        _ domain: [UInt8],
        _ key: Ed25519.PublicKey
    ) -> [UInt8] {
        var statement: [UInt8] = []
        statement.reserveCapacity(domain.count + message.count + key.bytes.count)
        statement += domain
        statement += message
        statement += key.bytes
        return statement
    }
}
