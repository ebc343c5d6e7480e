package import AsyncHTTPClient
package import Crypto
package import HongbaoCore
package import HongbaoEngine
package import Logging
import NIOCore
import NIOHTTP1

/// A payout channel reached over HTTP, in the form of `PayoutMessages`; requests are signed like callbacks.
///
/// It never retries: whoever decides on money does. Anything but a whole, strictly read answer to an order is
/// `.unreachable`, since it may or may not have happened.
package struct HTTPPayoutChannel: PayoutChannel {
    package static let answerBytesMax = 1 << 20

    private let client: HTTPClient
    private let base: String
    private let deadline: TimeAmount
    private let signature: CallbackSignature
    private let now: @Sendable () -> Timestamp
    private let logger: Logger

    /// `base` is like `http://127.0.0.1:9000`; a trailing slash is dropped. The client is the caller's to shut down.
    package init(
        client: HTTPClient,
        base: String,
        deadlineMilliseconds: Int64 = 5_000,
        key: SymmetricKey,
        now: @escaping @Sendable () -> Timestamp,
        logger: Logger
    ) {
        self.client = client
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        deadline = .milliseconds(deadlineMilliseconds)
        signature = CallbackSignature(key: key)
        self.now = now
        self.logger = logger
    }

    package func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] {
        await ask("/payouts", PayoutMessages.payRequest(orders), about: orders.map(\.order))
    }

    package func query(_ orders: [String]) async -> [PayoutReport] {
        await ask("/payouts/query", PayoutMessages.queryRequest(orders), about: orders)
    }

    private func ask(_ path: String, _ body: [UInt8], about orders: [String]) async -> [PayoutReport] {
        guard let bytes = await post(path, body) else { return orders.map { _ in .unreachable } }
        do throws(JSONFault) {
            let results = try PayoutMessages.readResults(bytes)
            var reports: [String: PayoutReport] = [:]
            for result in results where reports.updateValue(result.report, forKey: result.order) != nil {
                // Two answers for one order: neither is believed.
                reports[result.order] = .unreachable
            }
            return orders.map { reports[$0] ?? .unreachable }
        } catch {
            logger.warning(
                "the payout channel's answer can't be read",
                metadata: ["path": "\(path)", "reason": "\(error.reason)", "offset": "\(error.offset)"]
            )
            return orders.map { _ in .unreachable }
        }
    }

    private func post(_ path: String, _ body: [UInt8]) async -> [UInt8]? {
        var random = SystemRandomNumberGenerator()
        let nonce = "hongbao-payouts-\(random.next())-\(random.next())"
        let time = now()
        var request = HTTPClientRequest(url: base + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: CallbackSignature.timestampHeader, value: String(time.milliseconds))
        request.headers.add(name: CallbackSignature.nonceHeader, value: nonce)
        request.headers.add(
            name: CallbackSignature.signatureHeader,
            value: signature.sign(timestamp: time, nonce: nonce, body: body)
        )
        request.body = .bytes(body)
        do {
            let response = try await client.execute(request, timeout: deadline)
            let answer = try await response.body.collect(upTo: Self.answerBytesMax)
            guard response.status == .ok else {
                logger.warning(
                    "the payout channel refused a call",
                    metadata: ["path": "\(path)", "status": "\(response.status.code)"]
                )
                return nil
            }
            return Array(answer.readableBytesView)
        } catch {
            logger.warning("the payout channel wasn't reached", metadata: ["path": "\(path)", "error": "\(error)"])
            return nil
        }
    }
}
