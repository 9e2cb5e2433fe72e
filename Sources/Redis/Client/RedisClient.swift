// SPDX-License-Identifier: Apache-2.0
#if Redis

import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RESP
import Synchronization
import SystemErrors

/// A connection to the Redis primary that is made again whenever it is lost; from any thread.
///
/// While there is none, commands fail at once: whoever asks decides what that means, and nothing waits or is collected.
package final class RedisClient: Sendable {
    /// What a client is set to.
    package struct Configuration: Sendable {
        /// Where Redis is.
        package var url: RedisURL
        /// The password; it stays in no log.
        package var password: String?
        /// That of the sentinels, if they want one; it stays in no log either.
        package var sentinelPassword: String?
        /// Whose certificates are believed; `nil` asks the system's.
        package var trustRoots: NIOSSLTrustRoots?
        /// For how long Redis may leave a command without an answer.
        package var timeout: TimeAmount

        /// Sets where Redis is.
        package init(
            url: RedisURL,
            password: String? = nil,
            sentinelPassword: String? = nil,
            trustRoots: NIOSSLTrustRoots? = nil,
            timeout: TimeAmount = .seconds(1)
        ) {
            self.url = url
            self.password = password
            self.sentinelPassword = sentinelPassword
            self.trustRoots = trustRoots
            self.timeout = timeout
        }
    }

    /// Channels, and what takes their messages.
    package struct Subscription: Sendable {
        /// The channels.
        package var channels: [String]
        /// Takes a message, on the client's event loop.
        package var received: @Sendable (_ channel: String, _ message: String) -> Void

        /// Names channels.
        package init(
            channels: [String],
            received: @escaping @Sendable (_ channel: String, _ message: String) -> Void
        ) {
            self.channels = channels
            self.received = received
        }
    }

    /// Whether there is a connection, and if not, why.
    package enum Status: Equatable, Sendable {
        case up
        case down(String)
    }

    private struct State {
        var connection: NIOLoopBound<RedisConnection>?
        var status = Status.down("not tried yet")
        var backoff = RedisBackoff()
        var isClosed = false
        var warnings: Set<String> = []
        var hasReplicas = false
        /// What is told of changes.
        var observers: [@Sendable (Status) -> Void] = []
    }

    private let configuration: Configuration
    private let subscription: Subscription?
    private let tls: NIOSSLContext?
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let state = Mutex(State())

    /// Makes a client, which does not connect yet.
    ///
    /// One that subscribes to channels takes no commands. A connection that is there has missed nothing; one that was lost
    /// may have.
    ///
    /// - Throws: What is wrong with the certificates.
    package init(
        _ configuration: Configuration,
        subscription: Subscription? = nil,
        eventLoop: any EventLoop,
        logger: Logger
    ) throws {
        self.configuration = configuration
        self.subscription = subscription
        self.eventLoop = eventLoop
        self.logger = logger
        if configuration.url.isTLS {
            var settings = TLSConfiguration.makeClientConfiguration()
            if let roots = configuration.trustRoots { settings.trustRoots = roots }
            self.tls = try NIOSSLContext(configuration: settings)
        } else {
            self.tls = nil
        }
    }

    /// Whether there is a connection now.
    package var status: Status { self.state.withLock { $0.status } }

    /// Whether the primary had replicas when it was connected to.
    package var hasReplicas: Bool { self.state.withLock { $0.hasReplicas } }

    /// Has somebody told of each change of ``status``, on the client's event loop.
    package func onChange(_ observer: @escaping @Sendable (Status) -> Void) {
        self.state.withLock { $0.observers.append(observer) }
    }

    // MARK: Commands

    /// Sends a command and waits for its answer.
    ///
    /// - Throws: ``RedisError``.
    package func command(_ words: [String]) async throws -> RESPValue {
        try await self.eventLoop.flatSubmit { self.send { $0.send(words) } }.get()
    }

    /// Runs a script with arguments that may be any bytes; the server is given the script once.
    ///
    /// - Throws: ``RedisError``.
    package func run(_ script: RedisScript, keys: [String], content: [[UInt8]]) async throws -> RESPValue {
        func send(_ first: [String]) async throws -> RESPValue {
            let words = (first + ["\(keys.count)"] + keys).map { Array($0.utf8) } + content
            return try await self.eventLoop.flatSubmit { self.send { $0.send(words) } }.get()
        }
        do {
            return try await send(["EVALSHA", script.digest])
        } catch RedisError.refused(let why) where why.hasPrefix("NOSCRIPT") {
            return try await send(["EVAL", script.text])
        }
    }

    /// Runs a script, which the server is given once.
    ///
    /// - Throws: ``RedisError``.
    package func run(_ script: RedisScript, keys: [String], arguments: [String]) async throws -> RESPValue {
        let rest = ["\(keys.count)"] + keys + arguments
        do {
            return try await self.command(["EVALSHA", script.digest] + rest)
        } catch RedisError.refused(let why) where why.hasPrefix("NOSCRIPT") {
            return try await self.command(["EVAL", script.text] + rest)
        }
    }

    private func send(
        _ command: (RedisConnection) -> EventLoopFuture<RESPValue>?
    ) -> EventLoopFuture<RESPValue> {
        let (connection, status) = self.state.withLock { ($0.connection, $0.status) }
        if let answer = (connection?.value).flatMap(command) { return answer }
        let why = if case .down(let why) = status { why } else { "closed" }
        return self.eventLoop.makeFailedFuture(RedisError.notConnected(why))
    }

    // MARK: Connecting

    /// Begins to connect, and goes on doing so until ``close()``.
    package func start() {
        self.eventLoop.execute { self.connect() }
    }

    /// Ends the connection for good.
    package func close() async {
        try? await self.eventLoop.submit {
            let connection = self.state.withLock { state in
                state.isClosed = true
                return state.connection
            }
            connection?.value.close(.lost("closed"))
        }
        .get()
    }

    private func connect() {
        guard !self.state.withLock({ $0.isClosed }) else { return }
        self.primary()
            .flatMap { server in
                self.open(server, tls: self.tls).flatMap { connection in
                    self.greet(connection.value, of: server).map { connection }
                        .flatMapErrorThrowing { error in
                            connection.value.close(.lost("\(error)"))
                            throw error
                        }
                }
            }
            .whenComplete { result in
                switch result {
                case .success(let connection): self.connected(connection)
                case .failure(let error): self.lost("\(error)")
                }
            }
    }

    /// The primary, by its address or by what the first sentinel that answers says.
    private func primary() -> EventLoopFuture<RedisURL.Server> {
        switch self.configuration.url.place {
        case .server(let server): self.eventLoop.makeSucceededFuture(server)
        case .sentinels(let sentinels, let name): self.ask(sentinels[...], for: name)
        }
    }

    /// Asks one sentinel after the other where the primary is, until one says it.
    ///
    /// - Parameters:
    ///   - sentinels: Those that have not been asked.
    ///   - name: The name that they know the primary by.
    ///   - why: What the one before these failed by.
    private func ask(
        _ sentinels: ArraySlice<RedisURL.Server>,
        for name: String,
        since why: String = ""
    ) -> EventLoopFuture<RedisURL.Server> {
        guard let first = sentinels.first else {
            return self.eventLoop.makeFailedFuture(RedisError.notConnected("no sentinel knows a primary \(name)\(why)"))
        }
        return self.open(first, tls: self.tls)
            .flatMap { connection in
                self.ask(connection.value, for: name).always { _ in connection.value.close(.lost("asked")) }
            }
            .flatMapError { error in self.ask(sentinels.dropFirst(), for: name, since: "; of \(first): \(error)") }
    }

    /// The primary as one sentinel knows it.
    private func ask(_ sentinel: RedisConnection, for name: String) -> EventLoopFuture<RedisURL.Server> {
        func send(_ words: [String]) -> EventLoopFuture<RESPValue> {
            sentinel.send(words) ?? self.eventLoop.makeFailedFuture(RedisError.notConnected("closed"))
        }
        let login =
            self.configuration.sentinelPassword.map { send(["AUTH", $0]) }
            ?? self.eventLoop.makeSucceededFuture(RESPValue.null)
        return login.and(send(["SENTINEL", "get-master-addr-by-name", name])).flatMapThrowing { _, value in
            guard let words = value.elements, words.count == 2, let host = words[0].text, let port = words[1].number
            else { throw RedisError.notConnected("it knows none") }
            return RedisURL.Server(host: host, port: port)
        }
    }

    private func open(
        _ server: RedisURL.Server,
        tls: NIOSSLContext?
    ) -> EventLoopFuture<NIOLoopBound<RedisConnection>> {
        let ended = self.eventLoop.makePromise(of: RedisError.self)
        let connection = NIOLoopBound(
            RedisConnection(
                timeout: self.configuration.timeout,
                ended: ended,
                push: self.subscription.map { subscription in
                    { words in
                        guard words.count == 3, let channel = words[1].text, let message = words[2].text else { return }
                        subscription.received(channel, message)
                    }
                }
            ),
            eventLoop: self.eventLoop
        )
        return ClientBootstrap(group: self.eventLoop)
            .connectTimeout(self.configuration.timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let isAddress = (try? SocketAddress(ipAddress: server.host, port: 0)) != nil
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : server.host)
                        )
                    }
                    try channel.pipeline.syncOperations.addHandler(connection.value)
                }
            }
            .connect(host: server.host, port: server.port)
            .map { _ in connection }
            .flatMapErrorThrowing { error in
                // A channel that never came to be told nobody.
                connection.value.close(.lost(Self.plain(error)))
                throw RedisError.notConnected("\(server): \(Self.plain(error))")
            }
    }

    /// Logs in and looks whether this is a server that can be used.
    private func greet(_ connection: RedisConnection, of server: RedisURL.Server) -> EventLoopFuture<Void> {
        func send(_ words: [String]) -> EventLoopFuture<RESPValue> {
            connection.send(words) ?? self.eventLoop.makeFailedFuture(RedisError.notConnected("closed"))
        }
        var login = self.eventLoop.makeSucceededFuture(RESPValue.null)
        if let password = self.configuration.password {
            login = send(["AUTH"] + (self.configuration.url.user.map { [$0] } ?? []) + [password])
        }
        let role = send(["ROLE"])
        let information = send(["INFO"])
        return login.and(role).and(information).flatMapThrowing { answers in
            guard answers.0.1.elements?.first?.text == "master" else {
                throw RedisError.notConnected("\(server) is no primary")
            }
            let facts = RedisFacts(answers.1.text ?? "")
            guard facts.isNewEnough else {
                throw RedisError.notConnected(
                    "\(server) runs version \(facts.version), and 6.2 is the oldest that can be used"
                )
            }
            self.state.withLock { $0.hasReplicas = facts.hasReplicas }
            self.warn(of: facts)
        }
        .flatMap {
            [channels = self.subscription?.channels ?? [], bound = NIOLoopBound(connection, eventLoop: self.eventLoop)]
            in
            guard !channels.isEmpty, let answer = bound.value.send(["SUBSCRIBE"] + channels) else {
                return self.eventLoop.makeSucceededVoidFuture()
            }
            return answer.map { _ in }
        }
    }

    private func warn(of facts: RedisFacts) {
        guard self.subscription == nil else { return }
        for warning in facts.warnings where self.state.withLock({ $0.warnings.insert(warning).inserted }) {
            self.logger.warning("the registry may forget", metadata: ["why": "\(warning)"])
        }
    }

    private func connected(_ connection: NIOLoopBound<RedisConnection>) {
        let isClosed = self.state.withLock { state in
            state.connection = connection
            state.backoff.connected()
            return state.isClosed
        }
        guard !isClosed else { return connection.value.close(.lost("closed")) }
        if self.subscription == nil { self.logger.notice("connected to the registry") }
        self.change(to: .up)
        connection.value.whenEnded.whenSuccess { error in
            self.state.withLock { $0.connection = nil }
            self.lost("\(error)")
        }
    }

    private func lost(_ why: String) {
        let (pause, isNew) = self.state.withLock { state in
            (state.isClosed ? nil : state.backoff.failed(), state.status != .down(why))
        }
        // Each reason once, and never with the password, which no error names.
        if isNew, self.subscription == nil {
            self.logger.error("the registry can't be reached", metadata: ["why": "\(why)"])
        }
        self.change(to: .down(why))
        if let pause { self.eventLoop.scheduleTask(in: pause) { self.connect() } }
    }

    private func change(to status: Status) {
        let observers = self.state.withLock { state -> [@Sendable (Status) -> Void] in
            guard state.status != status else { return [] }
            state.status = status
            return state.observers
        }
        for observer in observers { observer(status) }
    }

    private static func plain(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { TransportFault.words($0.error) } ?? "the name has no address"
        default: TransportFault.words(error)
        }
    }
}

#endif
