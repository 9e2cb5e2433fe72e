// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
import Logging
import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Subscribes to the kernel's messages about links and addresses of this machine (netlink(7)).
enum NetlinkMonitor {
    private static let unavailable = "changes of the network can't be watched; silence alone shows a lost connection"

    // linux/netlink.h and linux/rtnetlink.h, which Swift's Glibc module does not have.
    private static let family: UInt16 = 16
    private static let routing: CInt = 0
    /// RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR.
    private static let groups: UInt32 = 0x1 | 0x10 | 0x100

    /// Watches until the task is cancelled, or the kernel refuses.
    ///
    /// - Parameters:
    ///   - logger: Gets one line if the kernel refuses.
    ///   - changed: Called on every change that can affect our connections.
    static func watch(logger: Logger, changed: @escaping @Sendable () -> Void) async {
        while !Task.isCancelled {
            let channel: any Channel
            do {
                channel = try await Self.open(changed)
            } catch {
                return logger.debug("\(Self.unavailable)", metadata: ["error": "\(error)"])
            }
            await withTaskCancellationHandler {
                try? await channel.closeFuture.get()
            } onCancel: {
                channel.close(promise: nil)
            }
            // The socket's buffer overflowed (ENOBUFS), so something has changed.
            guard !Task.isCancelled else { return }
            changed()
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// Opens a socket that gets the kernel's messages from when this returns.
    ///
    /// - Parameter changed: Called on every change that can affect our connections.
    static func open(_ changed: @escaping @Sendable () -> Void) async throws -> any Channel {
        let descriptor = try Self.makeSocket()
        do {
            return try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16_384))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(NetlinkHandler(changed))
                    }
                }
                .takingOwnershipOfDescriptor(input: descriptor).get()
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func makeSocket() throws -> CInt {
        let kind = CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(CInt(Self.family), kind, Self.routing)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        // struct sockaddr_nl: family and padding, the port (the kernel chooses), groups.
        let address: (family: UInt16, padding: UInt16, port: UInt32, groups: UInt32) = (Self.family, 0, 0, Self.groups)
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout.size(ofValue: address)))
            }
        }
        guard result == 0 else {
            let error = IOError(errnoCode: errno, reason: "bind")
            close(descriptor)
            throw error
        }
        return descriptor
    }
}

/// Calls back for the kernel's messages that report a relevant change.
private final class NetlinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var messages = NetlinkMessages()
    private let changed: () -> Void

    init(_ changed: @escaping () -> Void) {
        self.changed = changed
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.messages.receive(self.unwrapInboundIn(data)) { self.changed() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
#endif
