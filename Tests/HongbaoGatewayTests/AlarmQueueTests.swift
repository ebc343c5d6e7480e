import Foundation
import HongbaoCore
import HongbaoEngine
import Testing

@testable import HongbaoGateway

/// What a chat is told of alarms, and when (AS-2).
@Suite struct AlarmQueueTests {
    private static let start = Timestamp(milliseconds: 1_643_630_400_000)

    private static func add(
        _ queue: inout AlarmQueue,
        _ kind: Alarms.Kind,
        _ detail: String,
        at second: Int64 = 0
    ) -> Bool {
        queue.add(kind, { detail }, at: start.advanced(bySeconds: second))
    }

    @Test func theFirstAtOnceAndThenOneInAWindow() throws {
        var queue = AlarmQueue(window: .seconds(60))
        #expect(queue.take(now: .zero) == nil && queue.nextTime == nil)
        #expect(Self.add(&queue, .payoutStuck, "a"))
        #expect(Self.add(&queue, .fenced, "f", at: 1))
        #expect(queue.nextTime == .zero)
        let firstTaken = queue.take(now: .seconds(5))
        let first = try #require(firstTaken)
        #expect(first == AlarmQueue.Message(kind: .payoutStuck, details: ["a"], count: 1, firstAt: Self.start))
        #expect(queue.take(now: .seconds(5))?.kind == .fenced)
        // Held back until the window is over, and then told together.
        for detail in ["b", "c", "b"] { #expect(Self.add(&queue, .payoutStuck, detail, at: 10)) }
        #expect(queue.take(now: .seconds(64)) == nil)
        #expect(queue.nextTime == .seconds(65))
        let secondTaken = queue.take(now: .seconds(65))
        let second = try #require(secondTaken)
        #expect(second.details == ["b", "c"] && second.count == 3)
        #expect(second.firstAt == Self.start.advanced(bySeconds: 10))
        #expect(queue.take(now: .seconds(1000)) == nil)
    }

    /// A flood is counted; its details aren't even made.
    @Test func floodsAreBounded() throws {
        var queue = AlarmQueue(window: .seconds(60))
        var made = 0
        var kept = 0
        for number in 0..<100_000 {
            let isKept = queue.add(
                .orderConflict,
                {
                    made += 1
                    return "\(number)" + String(repeating: "x", count: 10_000)
                },
                at: Self.start
            )
            if isKept { kept += 1 }
        }
        let messageTaken = queue.take(now: .zero)
        let message = try #require(messageTaken)
        #expect(message.count == 100_000)
        #expect(message.details.count == AlarmQueue.detailsMax && made == AlarmQueue.detailsMax && kept == made)
        #expect(message.details.allSatisfy { $0.count == AlarmQueue.detailLengthMax })
        let text = AlarmWebhook.text(message, instance: "here")
        #expect(text.count < LarkMessages.textLengthMax)
    }

    /// What couldn't be sent is told with the next of its kind, and no alarm is counted twice or not at all.
    @Test func whatFailedIsToldLater() throws {
        var queue = AlarmQueue(window: .seconds(60))
        _ = Self.add(&queue, .payoutStuck, "a")
        let firstTaken = queue.take(now: .zero)
        let first = try #require(firstTaken)
        for detail in ["b", "a", "c", "d", "e", "f"] { _ = Self.add(&queue, .payoutStuck, detail, at: 7) }
        queue.putBack(first)
        #expect(queue.take(now: .seconds(59)) == nil)
        let secondTaken = queue.take(now: .seconds(60))
        let second = try #require(secondTaken)
        #expect(second.details == ["a", "b", "c", "d", "e"] && second.count == 7 && second.firstAt == Self.start)
        queue.putBack(second)
        _ = Self.add(&queue, .fenced, "x", at: -1)
        #expect(queue.takeAll().map(\.kind) == [.fenced, .payoutStuck])
        #expect(queue.takeAll() == [] && queue.nextTime == nil)
    }

    @Test func messagesSayWhatAPersonNeeds() throws {
        for kind in Alarms.Kind.allCases {
            let message = AlarmQueue.Message(kind: kind, details: ["one", "two"], count: 9, firstAt: Self.start)
            let text = AlarmWebhook.text(message, instance: "host-7 /var/lib/hongbao")
            for part in [
                kind.rawValue, "host-7 /var/lib/hongbao", "2022-01-31T20:00:00.000+08:00", "times: 9", "detail: one",
                "detail: two", "docs/operations.md#alarms",
            ] { #expect(text.contains(part), "\(kind): \(part)") }
            #expect(Alarms.Kind.advices[kind] != nil, "say in AlarmWebhook what is to be done about \(kind)")
        }
    }

    /// The page that messages point to has a row for every kind.
    @Test func operationsNameEveryAlarm() throws {
        let page = URL(filePath: #filePath).appending(path: "../../../docs/operations.md").standardized
        let text = try String(contentsOf: page, encoding: .utf8)
        #expect(text.contains("\n## Alarms\n"))
        for kind in Alarms.Kind.allCases { #expect(text.contains("\n| `\(kind.rawValue)` | "), "\(kind)") }
    }
}

@Suite struct LarkMessagesTests {
    /// Computed with Python: base64(hmac.new(b"1643630400\nsecret", b"", sha256)).
    @Test func signatureIsThatOfTheBot() {
        #expect(
            LarkMessages.signature(time: "1643630400", secret: "secret")
                == "k3T4fh1lHoM3am7S/gPL+7Fc4QwGgRoFN1WbuVOIlRA="
        )
    }

    @Test func formOfMessages() throws {
        let now = Timestamp(milliseconds: 1_643_630_400_999)
        let plain = String(decoding: LarkMessages.text("a \"b\"\n红包", secret: nil, now: now), as: UTF8.self)
        #expect(plain == #"{"msg_type":"text","content":{"text":"a \"b\"\n红包"}}"#)
        let signed = LarkMessages.text("a", secret: "secret", now: now)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(signed)) as? [String: Any])
        #expect(object["timestamp"] as? String == "1643630400")
        #expect(object["sign"] as? String == LarkMessages.signature(time: "1643630400", secret: "secret"))
        #expect(object["msg_type"] as? String == "text")
        #expect((object["content"] as? [String: String]) == ["text": "a"])
        #expect(LarkMessages.text(String(repeating: "红", count: 1_000_000), secret: nil, now: now).count < 20_000)
    }

    @Test(arguments: [
        (#"{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}"#, true),
        (#"{"code":0}"#, true), (#"{"StatusCode":0}"#, true), (#"{"code":19021,"msg":"sign match fail"}"#, false),
        (#"{"code":0,"StatusCode":1}"#, false), (#"{"msg":"success"}"#, false), ("", false), ("ok", false),
        (#"{"code":"0"}"#, false), (#"{"code":0}{"code":0}"#, false), ("[]", false), (#"{"code":0,"code":0}"#, false),
    ])
    func answersOfTheBot(answer: String, isTaken: Bool) {
        #expect(LarkMessages.isTaken(Array(answer.utf8)) == isTaken)
    }
}
