// SPDX-License-Identifier: Apache-2.0
import NIOCore

// NIO documents what these are.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension StreamChannel {
    public func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<Void> {
        guard self.eventLoop.inEventLoop else {
            return self.eventLoop.submit { try self.setOption0(option, value: value) }
        }
        return self.eventLoop.makeCompletedFuture { try self.setOption0(option, value: value) }
    }

    public func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
        guard self.eventLoop.inEventLoop else {
            return self.eventLoop.submit { try self.getOption0(option) }
        }
        return self.eventLoop.makeCompletedFuture { try self.getOption0(option) }
    }

    public var syncOptions: (any NIOSynchronousChannelOptions)? { SynchronousOptions(channel: self) }

    struct SynchronousOptions: NIOSynchronousChannelOptions {
        let channel: StreamChannel

        func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
            try self.channel.setOption0(option, value: value)
        }

        func getOption<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
            try self.channel.getOption0(option)
        }
    }

    private func setOption0<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
        self.eventLoop.preconditionInEventLoop()
        switch (option, value) {
        case (_ as ChannelOptions.Types.AutoReadOption, let value as Bool):
            let wasAutoRead = self.isAutoRead
            self.isAutoRead = value
            if value, !wasAutoRead, self.state == .active { self.pipeline.read() }
        case (_ as ChannelOptions.Types.AllowRemoteHalfClosureOption, let value as Bool) where value: break
        default: throw ChannelError.operationUnsupported
        }
    }

    private func getOption0<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
        self.eventLoop.preconditionInEventLoop()
        let value: Any
        switch option {
        case _ as ChannelOptions.Types.AutoReadOption: value = self.isAutoRead
        case _ as ChannelOptions.Types.AllowRemoteHalfClosureOption: value = true
        default: throw ChannelError.operationUnsupported
        }
        guard let value = value as? Option.Value else { throw ChannelError.operationUnsupported }
        return value
    }
}
