// weir-limit: what this machine can do at most with one thread. Takes PUBLISH as a Redis would, and sends
// each message to every SSE connection of its channel, with no history, no queue limits and no metrics:
// either one send() for each client and message, or (--coalesce) one send() for each client and all messages
// that are waiting. Its bytes are those that weir sends.
#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proto/event_id.h"
#include "proto/sse.h"
#include "settings/settings.h"

namespace {

using namespace weir;

constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\nCache-Control: no-cache, no-transform\r\nContent-Type: text/event-stream\r\n"
    "Transfer-Encoding: chunked\r\nX-Accel-Buffering: no\r\n\r\n";

struct Channel;

struct Peer {
  int fd = -1;
  bool is_publisher = false;
  std::unique_ptr<redisReader, decltype(&redisReaderFree)> reader{nullptr, redisReaderFree};
  std::string request;  // Until it is whole.
  std::string unsent;
  Channel* channel = nullptr;
  std::size_t place = 0;  // In the channel.
};

struct Channel {
  std::vector<Peer*> clients;
  std::string waiting;  // --coalesce: frames that were not sent yet.
};

class Loop {
 public:
  Loop(bool coalesces, int clients, int publishers)
      : coalesces_(coalesces), epoll_(::epoll_create1(0)), clients_(clients), publishers_(publishers) {
    watch(clients_, nullptr, EPOLLIN, EPOLL_CTL_ADD);
    watch(publishers_, &publishers_mark_, EPOLLIN, EPOLL_CTL_ADD);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 512> events;
    while (true) {
      const int count = ::epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        auto* peer = static_cast<Peer*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (peer == nullptr) {
          accept_all(clients_, false);
        } else if (peer == &publishers_mark_) {
          accept_all(publishers_, true);
        } else {
          on_event(*peer, events[static_cast<std::size_t>(i)].events);
        }
      }
      for (Channel* channel : std::exchange(dirty_, {})) {
        const std::string frames = std::exchange(channel->waiting, {});
        for (Peer* client : channel->clients) send(*client, frames);
      }
    }
  }

 private:
  void watch(int fd, Peer* peer, std::uint32_t events, int operation) {
    epoll_event event{events, {.ptr = peer}};
    ::epoll_ctl(epoll_, operation, fd, &event);
  }

  void accept_all(int listener, bool is_publisher) {
    while (true) {
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int one = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      auto* peer = new Peer;
      peer->fd = fd;
      peer->is_publisher = is_publisher;
      if (is_publisher) peer->reader.reset(redisReaderCreate());
      watch(fd, peer, EPOLLIN, EPOLL_CTL_ADD);
    }
  }

  void on_event(Peer& peer, std::uint32_t events) {
    if (events & EPOLLOUT) send(peer, {});
    if (!(events & ~std::uint32_t{EPOLLOUT})) return;
    const ssize_t size = ::recv(peer.fd, buffer_.data(), buffer_.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return close(peer);
    if (peer.is_publisher) return on_commands(peer, static_cast<std::size_t>(size));
    if (peer.channel != nullptr) return;
    peer.request.append(buffer_.data(), static_cast<std::size_t>(size));
    if (peer.request.ends_with("\r\n\r\n")) open(peer);
  }

  // GET /channels/{channel} HTTP/1.1
  void open(Peer& peer) {
    const std::string_view request = peer.request;
    const std::size_t begin = request.find("/channels/") + 10;
    peer.channel = &channels_[std::string(request.substr(begin, request.find(' ', begin) - begin))];
    peer.place = peer.channel->clients.size();
    peer.channel->clients.push_back(&peer);
    std::string().swap(peer.request);
    std::string bytes(kHead);
    bytes += encode_chunk(": weir-limit\nid: 0\n\n");
    send(peer, bytes);
  }

  void on_commands(Peer& peer, std::size_t size) {
    redisReaderFeed(peer.reader.get(), buffer_.data(), size);
    std::string answers;
    void* read = nullptr;
    while (redisReaderGetReply(peer.reader.get(), &read) == REDIS_OK && read != nullptr) {
      const auto* command = static_cast<const redisReply*>(read);
      if (command->elements == 3) {
        const auto* name = command->element[1];
        const auto* payload = command->element[2];
        answers +=
            ":" + std::to_string(publish({name->str, name->len}, {payload->str, payload->len})) + "\r\n";
      }
      freeReplyObject(read);
    }
    send(peer, answers);
  }

  std::size_t publish(const std::string& name, std::string_view payload) {
    Channel& channel = channels_[name];
    const std::string id = format_event_id(epoch_, ++sequence_);
    const std::string frame = encode_chunk(encode_block({id, {}, payload, {}}));
    if (!coalesces_) {
      for (Peer* client : channel.clients) send(*client, frame);
    } else {
      if (channel.waiting.empty()) dirty_.push_back(&channel);
      channel.waiting += frame;
    }
    return channel.clients.size();
  }

  void send(Peer& peer, std::string_view bytes) {
    if (!peer.unsent.empty()) {
      peer.unsent += bytes;
      bytes = peer.unsent;
    }
    if (bytes.empty()) return;
    const ssize_t size = ::send(peer.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    const std::size_t sent = size < 0 ? 0 : static_cast<std::size_t>(size);
    const bool was_waiting = !peer.unsent.empty();
    if (sent == bytes.size()) {
      if (!was_waiting) return;
      std::string().swap(peer.unsent);
      return watch(peer.fd, &peer, EPOLLIN, EPOLL_CTL_MOD);
    }
    peer.unsent = std::string(bytes.substr(sent));
    if (!was_waiting) watch(peer.fd, &peer, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  }

  void close(Peer& peer) {
    if (peer.channel != nullptr) {
      auto& clients = peer.channel->clients;
      clients[peer.place] = clients.back();
      clients[peer.place]->place = peer.place;
      clients.pop_back();
    }
    ::close(peer.fd);
    delete &peer;
  }

  const bool coalesces_;
  const int epoll_;
  const int clients_;
  const int publishers_;
  Peer publishers_mark_;
  std::vector<char> buffer_ = std::vector<char>(kReadBytes);
  std::unordered_map<std::string, Channel> channels_;
  std::vector<Channel*> dirty_;
  const std::string epoch_ = make_epoch(1);
  Sequence sequence_ = 0;
};

int listen_on(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(fd, 4096) == 0)
    return fd;
  ::close(fd);
  return -1;
}

}  // namespace

int main(int argc, char** argv) {
  bool coalesces = false;
  std::uint16_t port = 8090, redis_port = 8091;
  SettingsTable table("weir-limit",
                      "The most that one thread of this machine can send, for weir-load to measure.");
  table.section("",
                {Setting::integer("port", port, {1, 65'535}, "", "Of the SSE connections, on 127.0.0.1."),
                 Setting::integer("redis-port", redis_port, {1, 65'535}, "", "Takes PUBLISH, on 127.0.0.1."),
                 Setting::flag("coalesce", coalesces, "One send() for all messages that are waiting.")});
  const auto outcome = table.read(argc, argv, nullptr);
  if (!outcome) {
    std::fprintf(stderr, "%s\n", outcome.error().message.c_str());
    return 2;
  }
  if (outcome->text) {
    std::fputs(outcome->text->c_str(), stdout);
    return 0;
  }
  const int clients = listen_on(port), publishers = listen_on(redis_port);
  if (clients < 0 || publishers < 0) {
    std::fprintf(stderr, "cannot listen on ports %u and %u: %s\n", port, redis_port, std::strerror(errno));
    return 1;
  }
  Loop(coalesces, clients, publishers).run();
}
