package import AsyncHTTPClient
package import Crypto
package import HongbaoCore
import HongbaoEngine
import NIOCore
import NIOHTTP1

/// Posts JSON that is signed as `CallbackSignature` says. It never retries: whoever decides on money does.
package struct SignedClient: Sendable {
    package static let answerBytesMax = 1 << 20

    /// An answer without a usable body.
    package struct Refused: Error, Hashable {
        package let status: UInt
    }

    /// The answer wasn't whole in time.
    package struct Late: Error, Hashable {}

    /// From the first byte sent to the last received.
    package let deadline: Duration
    private let client: HTTPClient
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

    /// - Parameter limit: if that's shorter than the deadline, it counts instead.
    /// - Returns: the body of the answer, at most `answerBytesMax` of it, with a status from 200 to 299.
    /// - Throws: `Refused` for any other status, `Late`, and what the client throws when there is no whole answer.
    package func post(_ url: String, _ body: [UInt8], within limit: Duration? = nil) async throws -> [UInt8] {
        let limit = min(limit ?? deadline, deadline)
        let request = request(url, body)
        // The client's own deadline ends with the head of the answer; a body that trickles would be waited for.
        let answer = await withDeadline(limit) { await exchange(request, within: limit) }
        guard let answer else { throw Late() }
        return try answer.get()
    }

    private func request(_ url: String, _ body: [UInt8]) -> HTTPClientRequest {
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
        return request
    }

    private func exchange(_ request: HTTPClientRequest, within limit: Duration) async -> Result<[UInt8], any Error> {
        do {
            let response = try await client.execute(request, timeout: TimeAmount(limit))
            let answer = try await response.body.collect(upTo: Self.answerBytesMax)
            guard (200..<300).contains(response.status.code) else {
                throw Refused(status: response.status.code)
            }
            return .success(Array(answer.readableBytesView))
        } catch {
            return .failure(error)
        }
    }
}
