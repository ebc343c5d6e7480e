import Foundation
import HTTPTypes
import HongbaoGateway
import HongbaoTesting
import HummingbirdTesting
import Metrics
import Testing

@Suite struct PrometheusTests {
    @Test func textHasTheFormOfPrometheus() {
        let registry = PrometheusRegistry()
        registry.describe("hongbao_things_total", "Things \\ with\nlines.")
        registry.counter("hongbao_things_total", [("kind", "a\"b\\c\nd"), ("app", "x")]).increment(by: Int64(3))
        // The same labels in another order are the same series.
        registry.counter("hongbao_things_total", [("app", "x"), ("kind", "a\"b\\c\nd")]).increment(by: 0.5)
        registry.gauge("hongbao.depth").set(2.5)
        let histogram = registry.histogram("hongbao_wait_seconds", [("route", "/x")])
        for seconds in [0.0004, 0.0005, 0.003, 99] { histogram.observe(seconds) }
        let text = registry.text()
        #expect(
            text.hasPrefix(
                #"""
                # HELP hongbao_depth Not described.
                # TYPE hongbao_depth gauge
                hongbao_depth 2.5
                # HELP hongbao_things_total Things \\ with\nlines.
                # TYPE hongbao_things_total counter
                hongbao_things_total{app="x",kind="a\"b\\c\nd"} 3.5
                # HELP hongbao_wait_seconds Not described.
                # TYPE hongbao_wait_seconds histogram
                hongbao_wait_seconds_bucket{route="/x",le="0.0005"} 2
                hongbao_wait_seconds_bucket{route="/x",le="0.001"} 2
                hongbao_wait_seconds_bucket{route="/x",le="0.0025"} 2
                hongbao_wait_seconds_bucket{route="/x",le="0.005"} 3

                """#
            )
        )
        #expect(text.contains("hongbao_wait_seconds_bucket{route=\"/x\",le=\"+Inf\"} 4\n"))
        #expect(text.contains("hongbao_wait_seconds_count{route=\"/x\"} 4\n"))
        #expect(text.hasSuffix("hongbao_metrics_dropped_total 0\n"))
    }

    @Test func labelSetsAreBounded() {
        let registry = PrometheusRegistry(seriesMax: 3)
        for number in 0..<10 { registry.counter("many_total", [("n", "\(number)")]).increment(by: Int64(1)) }
        registry.gauge("many_total").set(Int64(1))
        let text = registry.text()
        #expect(text.split(separator: "\n").filter { $0.hasPrefix("many_total") }.count == 3)
        #expect(text.contains("hongbao_metrics_dropped_total 8\n"))
    }

    @Test func servesSwiftMetrics() {
        let registry = PrometheusRegistry()
        Counter(label: "c_total", dimensions: [("a", "b")], factory: registry).increment(by: 2)
        Gauge(label: "g", factory: registry).record(7)
        Recorder(label: "sizes", dimensions: [], aggregate: true, factory: registry).record(3)
        Timer(label: "t_seconds", dimensions: [], preferredDisplayUnit: .seconds, factory: registry)
            .recordMilliseconds(20)
        Meter(label: "m", factory: registry).increment(by: 4)
        let text = registry.text()
        for line in [
            "c_total{a=\"b\"} 2", "g 7", "m 4", "sizes_bucket{le=\"5\"} 1", "t_seconds_bucket{le=\"0.025\"} 1",
            "t_seconds_bucket{le=\"0.01\"} 0",
        ] {
            #expect(text.contains(line + "\n"), "\(line)")
        }
    }

    /// What Prometheus's own checker thinks, where it is installed (Debian's package `prometheus`).
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: promtool))) func promtoolAgrees() async throws {
        let text = try await GatewayRig().run { caller in
            _ = try await caller.send(.post, "/v1/grants", json: grantJSON(), token: GatewayRig.grantKey)
            return try await caller.send(.get, "/metrics").text
        }
        let folder = try TemporaryFolder()
        try Data(text.utf8).write(to: URL(filePath: folder.file("metrics")))
        let check = Process()
        check.executableURL = URL(filePath: Self.promtool)
        check.arguments = ["check", "metrics"]
        check.standardInput = try FileHandle(forReadingFrom: URL(filePath: folder.file("metrics")))
        let status = try await withCheckedThrowingContinuation { continuation in
            check.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do {
                try check.run()
            } catch {
                continuation.resume(throwing: error)
            }
        }
        #expect(status == 0)
    }

    private static let promtool = "/usr/bin/promtool"

    /// No label may name a person, and there is one series for a route however many addresses it has.
    @Test func requestsAreCountedByRoute() async throws {
        try await GatewayRig().run { caller in
            _ = try await caller.send(
                .post,
                "/v1/grants",
                json: grantJSON(person: #""987654321""#),
                token: GatewayRig.grantKey
            )
            for person in 900_001...900_009 {
                _ = try await caller.send(
                    .get,
                    "/v1/persons/\(person)/summary?campaign=test",
                    token: GatewayRig.readKey
                )
                _ = try await caller.send(.get, "/nothing/\(person)")
            }
            let answer = try await caller.send(.get, "/metrics")
            #expect(answer.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
            let text = answer.text
            let name = "http_server_request_duration_seconds_count"
            let summary = "/v1/persons/{person}/summary"
            for line in [
                #"{http_request_method="POST",http_response_status_code="200",http_route="/v1/grants"} 1"#,
                #"{http_request_method="GET",http_response_status_code="200",http_route="\#(summary)"} 9"#,
                #"{http_request_method="_OTHER",http_response_status_code="404",http_route="_other"} 9"#,
            ] {
                #expect(text.contains("\(name)\(line)\n"), "\(line)")
            }
            #expect(text.contains(#"hongbao_grant_answers_total{outcome="granted"} 1"# + "\n"))
            #expect(text.contains(#"hongbao_build_info{version="1.2.3"} 1"# + "\n"))
            // As values of labels; sums of durations may have any digits.
            for label in text.matches(of: /"[^"]*"/).map(\.output) {
                #expect(!label.contains("90000") && !label.contains("987654321"))
            }
        }
    }
}
