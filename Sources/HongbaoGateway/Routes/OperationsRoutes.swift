import HTTPTypes
import HongbaoCore
import HongbaoEngine
import Hummingbird
import NIOCore

/// What those who run the server ask it: is it there, can it take grants, how is it doing.
struct OperationsRoutes: Sendable {
    let services: GatewayServices
    let version: String

    var routes: [Route] {
        [
            Route(.get, "/livez", .open { _ throws(Problem) in .text("ok\n") }),
            Route(.get, "/readyz", isCutOff: true, .open(ready)),
            Route(.get, "/metrics", .open(metrics)),
            Route(.get, "/v1/version", .open(versionAnswer)),
        ]
    }

    private func ready(_ call: Call) async throws(Problem) -> Response {
        let isVerbose = try Query(call.head, allowed: ["verbose"])["verbose"] != nil
        let results = await services.readiness.results()
        let isReady = results.allSatisfy(\.holds)
        var text = ""
        if isVerbose {
            for (name, holds) in results { text += "\(holds ? "[+]" : "[-]") \(name)\n" }
        }
        text += isReady ? "ok\n" : "not ready\n"
        guard isReady else {
            return Response(
                status: .serviceUnavailable,
                headers: [
                    .contentType: "text/plain; charset=utf-8", .cacheControl: "no-store", .retryAfter: "1",
                ],
                body: ResponseBody(byteBuffer: ByteBuffer(string: text))
            )
        }
        return .text(text)
    }

    private func metrics(_ call: Call) async throws(Problem) -> Response {
        .text(services.metrics.text(), contentType: PrometheusRegistry.contentType)
    }

    private func versionAnswer(_ call: Call) async throws(Problem) -> Response {
        .json { json in
            json.object { json in
                json.field("name", "hongbao")
                json.field("version", version)
                json.field("api", "v1")
                json.field("campaigns", services.campaigns().version)
            }
        }
    }
}
