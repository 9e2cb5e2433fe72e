// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
import NIOCore

/// Reads the kernel's messages about links and addresses (rtnetlink(7)), and decides whether a change can affect our
/// connections.
///
/// Ignored are addresses with the scope of this host or link, and links that neither came up nor went down: machines
/// with containers create and remove these all the time.
struct NetlinkMessages: Sendable {
    /// The most links whose state is remembered; with more of them some needless changes are reported.
    static let linkLimit = 256

    /// Which links are up, by their index.
    private var links: [Int32: Bool] = [:]

    /// How many links are remembered.
    var rememberedLinks: Int { self.links.count }

    private static let headerSize = 16
    // linux/rtnetlink.h and net/if.h; their macros are not visible in Swift.
    private static let newLink: UInt16 = 16
    private static let deleteLink: UInt16 = 17
    private static let newAddress: UInt16 = 20
    private static let deleteAddress: UInt16 = 21
    private static let loopbackFlag: UInt32 = 0x8
    private static let runningFlags: UInt32 = 0x41
    /// RT_SCOPE_LINK; RT_SCOPE_HOST and RT_SCOPE_NOWHERE are above it.
    private static let linkScope: UInt8 = 253

    /// Takes one datagram; returns whether it reports a change that can affect our connections.
    ///
    /// A datagram that can't be parsed counts as a change: a needless probe costs a few bytes.
    mutating func receive(_ datagram: ByteBuffer) -> Bool {
        var rest = datagram
        var matters = false
        while rest.readableBytes > 0 {
            guard let length = rest.getInteger(at: rest.readerIndex, endianness: .host, as: UInt32.self),
                length >= Self.headerSize, let message = rest.readSlice(length: min(Int(length), rest.readableBytes)),
                message.readableBytes == Int(length),
                let type = message.getInteger(at: message.readerIndex + 4, endianness: .host, as: UInt16.self)
            else { return true }
            if self.take(type, message.dropping(Self.headerSize)) ?? true { matters = true }
            // Messages are padded to four bytes (NLMSG_ALIGN).
            rest.moveReaderIndex(forwardBy: min(rest.readableBytes, (4 - Int(length) % 4) % 4))
        }
        return matters
    }

    private mutating func take(_ type: UInt16, _ body: ByteBuffer) -> Bool? {
        switch type {
        case Self.newAddress, Self.deleteAddress:
            // struct ifaddrmsg: family, prefix length, flags, scope, index.
            return body.getInteger(at: body.readerIndex + 3, as: UInt8.self).map { $0 < Self.linkScope }
        case Self.newLink, Self.deleteLink:
            // struct ifinfomsg: family, padding, type (2), index (4), flags (4), change mask (4).
            guard let index = body.getInteger(at: body.readerIndex + 4, endianness: .host, as: Int32.self),
                let flags = body.getInteger(at: body.readerIndex + 8, endianness: .host, as: UInt32.self)
            else { return nil }
            return self.take(link: index, flags: flags, isGone: type == Self.deleteLink)
        default:
            return false
        }
    }

    private mutating func take(link index: Int32, flags: UInt32, isGone: Bool) -> Bool {
        guard flags & Self.loopbackFlag == 0 else { return false }
        let isUp = !isGone && flags & Self.runningFlags == Self.runningFlags
        let wasUp = isGone ? self.links.removeValue(forKey: index) : self.links[index]
        if !isGone {
            if self.links.count >= Self.linkLimit, wasUp == nil { self.links = [:] }
            self.links[index] = isUp
        }
        return isUp != (wasUp ?? false)
    }
}

extension ByteBuffer {
    fileprivate func dropping(_ count: Int) -> ByteBuffer {
        var rest = self
        rest.moveReaderIndex(forwardBy: min(count, rest.readableBytes))
        return rest
    }
}
#endif
