import AsyncHTTPClient
package import HongbaoCore
package import HongbaoEngine
package import Logging
import NIOCore

/// A downstream that gives one kind of reward, reached over HTTP in the form of `RewardMessages` (GR-4, GR-8).
///
/// What can't be read strictly says nothing. It never retries: whoever knows the order's row does.
package struct HTTPRewardChannel: RewardChannel {
    private enum Question { case give, query }

    private let client: SignedClient
    private let place: String
    private let logger: Logger

    /// `base` is like `http://127.0.0.1:9000/tea`; `/rewards` comes behind it.
    package init(_ kind: RewardKind, client: SignedClient, base: String, logger: Logger) {
        self.client = client
        place = (base.hasSuffix("/") ? String(base.dropLast()) : base) + "/rewards"
        var logger = logger
        logger[metadataKey: "downstream"] = "\(kind.rawValue)"
        self.logger = logger
    }

    package func give(_ orders: [RewardOrder]) async -> [RewardReport] {
        await ask(.give, orders, \.order) { RewardMessages.giveRequest($0) }
    }

    package func query(_ orders: [String]) async -> [RewardReport] {
        await ask(.query, orders, \.self) { RewardMessages.queryRequest($0) }
    }

    /// In as many calls as it takes, one after the other, all within one deadline.
    private func ask<Order>(
        _ question: Question,
        _ orders: [Order],
        _ name: (Order) -> String,
        _ request: ([Order]) -> [UInt8]
    ) async -> [RewardReport] {
        let end = ContinuousClock.now + client.deadline
        var reports: [RewardReport] = []
        reports.reserveCapacity(orders.count)
        while reports.count < orders.count {
            let part = Array(orders[reports.count...].prefix(RewardMessages.ordersMax))
            let left = ContinuousClock.now.duration(to: end)
            reports += await call(question, request(part), about: part.map(name), within: left)
        }
        return reports
    }

    /// One report for each order, in their order.
    private func call(
        _ question: Question,
        _ body: [UInt8],
        about orders: [String],
        within limit: Duration
    ) async -> [RewardReport] {
        let results: [RewardMessages.Result]
        do throws(RewardFault) {
            results = try await answer(question, body, within: limit)
        } catch {
            return orders.map { _ in .failed(error) }
        }
        let invalid = RewardReport.failed(RewardFault(.unknown, .answerInvalid))
        var reports: [String: RewardReport] = [:]
        for result in results {
            // Whoever was just given an order knows it.
            let isSense = question == .query || result.state != .unknownOrder
            let isFirst = reports.updateValue(isSense ? result.report : invalid, forKey: result.order) == nil
            // Two answers for one order: neither is believed.
            if !isFirst { reports[result.order] = invalid }
        }
        return orders.map { reports[$0] ?? invalid }
    }

    private func answer(
        _ question: Question,
        _ body: [UInt8],
        within limit: Duration
    ) async throws(RewardFault) -> [RewardMessages.Result] {
        guard limit > .zero else { throw RewardFault(.unknown, .timeout) }
        let bytes: [UInt8]
        do {
            bytes = try await client.post(question == .give ? place : place + "/query", body, within: limit)
        } catch {
            let fault = Self.fault(error, question)
            logger.warning("a downstream's call failed", metadata: ["code": "\(fault.code)", "error": "\(error)"])
            throw fault
        }
        do throws(JSONFault) {
            return try RewardMessages.readResults(bytes)
        } catch {
            logger.warning(
                "a downstream's answer can't be read",
                metadata: ["reason": "\(error.reason)", "offset": "\(error.offset)"]
            )
            throw RewardFault(.unknown, .answerInvalid)
        }
    }

    /// That a question wasn't answered says nothing about the orders it was about, whatever the status.
    private static func fault(_ error: any Error, _ question: Question) -> RewardFault {
        switch error {
        case let refused as SignedClient.Refused:
            let fault = fault(status: refused.status)
            return question == .give ? fault : RewardFault(.unknown, fault.code)
        case is NIOTooManyBytesError: return RewardFault(.unknown, .answerInvalid)
        case is SignedClient.Late: return RewardFault(.unknown, .timeout)
        case let error as HTTPClientError where isLate(error): return RewardFault(.unknown, .timeout)
        default: return RewardFault(.unknown, .unreachable)
        }
    }

    private static func isLate(_ error: HTTPClientError) -> Bool {
        [.deadlineExceeded, .connectTimeout, .readTimeout, .writeTimeout, .getConnectionFromPoolTimeout]
            .contains(error)
    }

    private static func fault(status: UInt) -> RewardFault {
        switch status {
        case 429: RewardFault(.retryable, .tooManyRequests)
        case 503: RewardFault(.retryable, .unavailable)
        case 401, 403: RewardFault(.final, .unauthorized)
        case 408: RewardFault(.unknown, .timeout)
        case 400..<500: RewardFault(.final, .callRefused)
        case 500...: RewardFault(.unknown, .serverError)
        default: RewardFault(.unknown, .answerInvalid)
        }
    }
}
