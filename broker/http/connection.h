// One client's connection on the front: collects a request, waits for its answer, sends it, and begins again.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "broker/http/chunks.h"
#include "broker/http/engine.h"
#include "broker/http/front_options.h"
#include "broker/http/handler.h"
#include "broker/http/lazy_socket.h"
#include "broker/http/pace.h"
#include "broker/http/request.h"
#include "broker/http/request_budget.h"

namespace weir {

class Connection;
class Metrics;

// What a connection asks of the front that owns it. On the front loop only.
class ConnectionOwner {
 public:
  // `connection` holds `after` bytes instead of `before`. If that is more than there may be, the slowest requests give
  // way until it fits. Not kNone: the slowest is this one, and it has to go.
  virtual RequestBudget::Excess charge(Connection& connection, std::size_t before, std::size_t after) = 0;
  // Runs a whole request; Connection::finish() follows. Or asks whether the body of another one may come;
  // Connection::on_head_checked() follows.
  virtual void dispatch(std::uint64_t connection, Request request) = 0;
  // The connection has closed: lets go of it.
  virtual void forget(std::uint64_t connection) = 0;
  // True once no further request is taken.
  virtual bool is_winding_down() const = 0;

 protected:
  ~ConnectionOwner() = default;
};

// What the connections of one front share. Outlives them.
struct ConnectionContext {
  asio::io_context& loop;
  const FrontOptions& options;
  Handler& handler;
  Metrics& metrics;
  ConnectionOwner& owner;
  std::string scratch;  // All of them read into it: an idle connection owns no buffer.
};

// On the front loop only. Requests of one connection are taken one at a time, so pipelined ones are answered
// in order; while one is in progress the socket is not read, and TCP slows the client down. A client that
// half-closes after its request still gets its answer. Where a body does not come together with its head, the
// routes are asked first whether it may: who has no token takes no room for a body.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  // `socket` is connected and does not block.
  Connection(ConnectionContext& context, std::uint64_t id, int socket, const IpAddress& peer);

  void start();
  // The answer to the request in progress.
  void finish(Answer answer);
  // The same for a reply that does not come from the engine.
  void finish(Reply reply);
  // What the routes say to the head of `request`, whose body has not come yet.
  void on_head_checked(Request request, Answer answer);
  // True if what it waits for is overdue; expire() then ends it. Nothing is due while a request is in
  // progress.
  bool is_due(Clock::time_point now) const {
    return now >= deadline_ && state_ != State::kBusy && state_ != State::kChecking;
  }
  void expire();
  void close();
  // No request is in progress, and no answer under way.
  bool is_between() const { return is_collecting() || state_ == State::kLingering; }

  // What the front counts by, and who goes first when there is too much of it.
  std::uint64_t id() const { return id_; }
  const IpAddress& network() const { return network_; }
  // It holds memory, and how long it does is up to its client.
  bool may_give_way() const { return charged_ > 0 && (is_collecting() || state_ == State::kSending); }
  double bytes_per_second(Clock::time_point now) const { return pace_.bytes_per_second(now); }
  void fade(Clock::time_point now) { pace_.fade(now); }
  // It is the one that goes: for others, or since itself wanted more.
  void give_way(RequestBudget::Excess excess, bool is_for_others = true);

  // Waits for a next request, or for so long for its first one that it may be none that matters.
  bool is_idle(Clock::time_point now) const;

 private:
  enum class State : std::uint8_t { kIdle, kHead, kChecking, kBody, kBusy, kSending, kLingering, kClosed };

  bool is_collecting() const {
    return state_ == State::kIdle || state_ == State::kHead || state_ == State::kBody;
  }
  void wait_readable();
  void on_readable();
  void take(std::string_view input);
  void resume();
  std::size_t collect(std::string_view input);
  std::size_t collect_head(std::string_view input);
  std::size_t collect_body(std::string_view input);
  void on_head(std::string_view text);
  void check_head();
  void send_continue();
  void dispatch();
  void open_stream(Answer answer);
  void refuse(Refusal refusal, bool is_temporary = false);
  void refuse_long_body();
  void send_more();
  void on_sent();
  void linger();
  void count(const Answer& answer) const;
  RequestBudget::Excess charge();
  void set_network(const IpAddress& network);
  std::size_t body_bytes_max() const;
  void set_deadline(std::chrono::milliseconds timeout);

  ConnectionContext& context_;
  const std::uint64_t id_;
  LazySocket socket_;
  const IpAddress peer_;
  IpAddress network_;  // Who pays for what charged_ says.
  State state_ = State::kIdle;
  bool is_waiting_ = false;   // A wait for readability is pending.
  bool is_taking_ = false;    // take() is on the stack, and goes on with what is left.
  bool closes_ = false;       // After the answer that is being sent.
  bool is_new_ = true;        // Nothing was answered yet.
  bool is_blocked_ = false;   // The client takes no more of output_.
  bool has_dropped_ = false;  // What followed the request in progress.
  bool is_continue_due_ = false;
  std::uint32_t scanned_ = 0;
  std::uint32_t head_bytes_ = 0;  // Of the request that collecting_ holds.
  std::size_t charged_ = 0;
  std::size_t away_bytes_ = 0;  // Of a request that is with the pool or the bus.
  std::size_t sent_ = 0;
  Clock::time_point deadline_;
  Pace pace_;         // Of collecting, and of sending.
  std::string held_;  // Bytes that were read and belong to what is not whole yet.
  std::string output_;
  Delivery delivery_;  // Of the request in progress.
  // Only while a request is being collected.
  struct Collecting {
    Request request;
    ChunkDecoder chunks;
  };
  std::unique_ptr<Collecting> collecting_;
};

}  // namespace weir
