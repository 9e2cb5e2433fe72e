// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTP1
import NIOCore
import NIOPosix
import SystemErrors

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `culvert-edge health`: what a container runtime asks, in an image that has no shell and no curl.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Ask a running edge whether it is well.",
        discussion: """
            Asks the admin listener of the edge that the same configuration starts, or --url. Without any configuration \
            that is 127.0.0.1:8990, where an edge started with --dev listens, too. Exits with 0 when the \
            answer is 200.
            """
    )

    @Option(help: "What to ask instead: an http URL such as http://edge:8990/readyz.")
    var url: String?

    @OptionGroup var loading: ConfigurationLoading

    func run() async throws {
        let question: HealthQuestion
        if let url = self.url {
            guard let given = HealthQuestion(url: url) else {
                throw CommandFailure.exit(.usage, "--url: \"\(url)\" is not an http URL with a host")
            }
            question = given
        } else if self.loading.isEmpty {
            question = HealthQuestion(adminListen: EdgeConfiguration().adminListen)
        } else {
            question = HealthQuestion(adminListen: try self.loading.loadAdminListen())
        }
        do {
            let status = try await question.ask()
            guard status == 200 else {
                throw CommandFailure.exit(.unavailable, "\(question) answered with status \(status)")
            }
            LogSink.standardOutput.write("ok\n")
        } catch let exit as ExitCode {
            throw exit
        } catch {
            throw CommandFailure.exit(.unavailable, "\(question) does not answer: \(HealthFailure.words(for: error))")
        }
    }
}

/// One GET, of which only the status counts.
struct HealthQuestion: Equatable, CustomStringConvertible {
    var host: String
    var port: Int
    var path: String

    var description: String {
        "http://\(self.host.contains(":") ? "[\(self.host)]" : self.host):\(self.port)\(self.path)"
    }

    /// The question to the edge that listens at an address; one that stands for all addresses is asked at loopback.
    init(adminListen address: ListenAddress) {
        switch address.host {
        case "0.0.0.0": self.host = "127.0.0.1"
        case "::": self.host = "::1"
        default: self.host = address.host
        }
        self.port = address.port
        self.path = "/healthz"
    }

    /// Takes an `http` URL apart.
    init?(url: String) {
        guard url.hasPrefix("http://"), url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        let rest = url.dropFirst("http://".count)
        let authority = String(rest.prefix { $0 != "/" })
        let hasPort = authority.last != "]" && authority.contains(":")
        guard let address = ListenAddress(setting: hasPort ? authority : "\(authority):80") else { return nil }
        self.host = address.host
        self.port = address.port
        self.path = rest.count == authority.count ? "/" : String(rest.dropFirst(authority.count))
    }

    /// Asks.
    ///
    /// - Returns: The status.
    func ask(within limit: TimeAmount = .seconds(3)) async throws -> Int {
        let answer = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Int.self)
        let request =
            "GET \(self.path) HTTP/1.1\r\nHost: \(self.host.contains(":") ? "[\(self.host)]" : self.host)\r\n"
            + "Connection: close\r\nUser-Agent: culvert-edge-health\r\n\r\n"
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: answer.futureResult.eventLoop)
                .connectTimeout(limit)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(StatusLineHandler(request: request, answer))
                    }
                }
                .connect(host: self.host, port: self.port)
                .get()
        } catch {
            answer.fail(error)
            throw error
        }
        let tooLate = channel.eventLoop.scheduleTask(in: limit) { answer.fail(ChannelError.connectTimeout(limit)) }
        defer {
            tooLate.cancel()
            channel.close(promise: nil)
        }
        return try await answer.futureResult.get()
    }
}

/// Sends a request and reads the status of its final response.
private final class StatusLineHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: String
    private let answer: EventLoopPromise<Int>
    private var parser = HeadParser(maximumBytes: 16_384)
    private var unread = ByteBuffer()

    init(request: String, _ answer: EventLoopPromise<Int>) {
        self.request = request
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: self.request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.unread.writeBuffer(&bytes)
        do {
            while let head = try self.parser.response(&self.unread) {
                guard head.isInformational else { return self.answer.succeed(head.status) }
            }
        } catch {
            self.answer.fail(HealthFailure.notHTTP)
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.answer.fail(HealthFailure.closed)
    }
}

enum HealthFailure: Error, CustomStringConvertible {
    case notHTTP
    case closed

    var description: String {
        switch self {
        case .notHTTP: "what listens there does not speak HTTP"
        case .closed: "the connection was closed before the answer"
        }
    }

    /// Why there was no answer, as the end of a sentence.
    static func words(for error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            guard let last = error.connectionErrors.last else { return "the name \(error.host) can't be resolved" }
            return self.words(for: last.error)
        case ChannelError.connectTimeout(let limit):
            return "nothing came within \(limit.nanoseconds / 1_000_000_000) seconds"
        default: return TransportFault.words(error)
        }
    }
}
