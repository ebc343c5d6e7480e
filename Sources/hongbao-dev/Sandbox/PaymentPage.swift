import HongbaoCore
import HongbaoGateway
import HongbaoServer

/// The cashier's page, where a person pays for an order or gives up. Plain HTML: no script at all.
enum PaymentPage {
    static let securityPolicy =
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
        + "frame-ancestors 'none'"

    /// `order` consists of letters, digits, hyphens and underscores.
    static func html(_ order: String, _ entry: SandboxEntry?) -> String {
        let amount = yuan(entry?.final?.paid ?? entry?.terms?.amount ?? .zero)
        let body =
            switch entry?.result.state {
            case .processing:
                """
                <p class="amount">\(amount)</p>
                <p>请在 \(time(entry?.terms?.closesAt)) 前付款</p>
                <form method="post">
                <button class="pay" name="action" value="pay">支付 \(amount)</button>
                <button name="action" value="cancel">取消</button>
                </form>
                """
            case .paid: "<p class=\"amount\">\(amount)</p>\n<p role=\"status\">已支付，可以回到应用了</p>"
            case .failed: "<p role=\"status\">已取消或已超时，没有付款</p>"
            case nil, .unknown, .conflict: "<p role=\"status\">没有这笔付款</p>"
            }
        return """
            <!doctype html>
            <html lang="zh-CN">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="referrer" content="no-referrer">
            <title>收银台</title>
            <link rel="icon" href="data:,">
            <link rel="stylesheet" href="/pay.css">
            </head>
            <body>
            <main>
            <h1>收银台</h1>
            \(body)
            <p class="small">订单 \(order)</p>
            <p class="small">测试用的收银台，不动真钱</p>
            </main>
            </body>
            </html>

            """
    }

    /// `¥12.34`
    static func yuan(_ amount: Amount) -> String { AuditText.yuan(Int128(amount.fen)) }

    /// Hour, minute and second in China.
    private static func time(_ time: Timestamp?) -> String {
        guard let time else { return "" }
        return String(time.iso8601().dropFirst(11).prefix(8))
    }

    static let style = """
        :root { color-scheme: light; }
        * { box-sizing: border-box; }
        body {
          margin: 0; min-height: 100vh; color: #2d1714; background: #fffaf2;
          font: 16px/1.5 -apple-system, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif;
        }
        main { max-width: 420px; margin: 0 auto; padding: 32px 20px; text-align: center; overflow-wrap: anywhere; }
        h1 { margin: 0 0 24px; font-size: 20px; }
        .amount { margin: 0 0 8px; font-size: 40px; font-weight: 700; }
        .small { margin: 16px 0 0; color: #6d4b45; font-size: 13px; }
        form { display: grid; gap: 12px; margin: 24px 0; }
        button {
          min-height: 48px; border: 1px solid #a81123; border-radius: 24px; color: #a81123; background: #fff;
          font: inherit; font-weight: 600;
        }
        .pay { color: #fff; background: #a81123; }
        button:focus-visible { outline: 3px solid #1d1010; outline-offset: 2px; }

        """
}
