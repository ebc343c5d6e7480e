package import AsyncHTTPClient
package import Crypto
package import HongbaoCore
import NIOCore
import NIOHTTP1

/// Posts JSON that is signed as `CallbackSignature` says. It never retries: whoever decides on money does.
package struct SignedClient: Sendable {
    package static let answerBytesMax = 1 << 20

    /// An answer without a usable body.
    package struct Refused: Error, Hashable {
        package let status: UInt
    }

    private let client: HTTPClient
    private let deadline: TimeAmount
    private let signature: CallbackSignature
    private let now: @Sendable () -> Timestamp

    /// The client is the caller's to shut down.
    package init(
        client: HTTPClient,
        key: SymmetricKey,
        deadlineMilliseconds: Int64,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.client = client
        signature = CallbackSignature(key: key)
        deadline = .milliseconds(deadlineMilliseconds)
        self.now = now
    }

    /// - Returns: the body of the answer, at most `answerBytesMax` of it, with a status from 200 to 299.
    /// - Throws: `Refused` for any other status, and what the client throws when there is no whole answer in time.
    package func post(_ url: String, _ body: [UInt8]) async throws -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        let nonce = "hongbao-\(random.next())-\(random.next())"
        let time = now()
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: CallbackSignature.timestampHeader, value: String(time.milliseconds))
        request.headers.add(name: CallbackSignature.nonceHeader, value: nonce)
        request.headers.add(
            name: CallbackSignature.signatureHeader,
            value: signature.sign(timestamp: time, nonce: nonce, body: body)
        )
        request.body = .bytes(body)
        let response = try await client.execute(request, timeout: deadline)
        let answer = try await response.body.collect(upTo: Self.answerBytesMax)
        guard (200..<300).contains(response.status.code) else { throw Refused(status: response.status.code) }
        return Array(answer.readableBytesView)
    }
}
