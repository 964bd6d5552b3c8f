// One client's connection on the front: it collects a request, waits for the answer, sends
// it, and starts again.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "broker/http/chunk_decoder.h"
#include "broker/http/front_options.h"
#include "broker/http/handler.h"
#include "broker/http/httplib_engine.h"
#include "broker/http/lazy_socket.h"
#include "broker/http/request.h"
#include "broker/http/request_budget.h"
#include "broker/http/request_pace.h"

namespace weir {

class Connection;
class Metrics;

// The calls that a connection makes to the front that owns it. On the front loop only.
class ConnectionOwner {
 public:
  // `connection` now holds `after` bytes instead of `before`. If that passes a limit, the slowest requests
  // give way until it fits. Not kNone if this request is the slowest and must give way.
  virtual RequestBudget::Excess charge(Connection& connection, std::size_t before, std::size_t after) = 0;
  // Runs a whole request; Connection::finish() follows. For a request without its body, asks whether the body
  // may come; Connection::on_head_checked() follows.
  virtual void dispatch(std::uint64_t connection, Request request) = 0;
  // The connection has closed: drop it.
  virtual void forget(std::uint64_t connection) = 0;
  // True once no further request is taken.
  virtual bool is_winding_down() const = 0;

 protected:
  ~ConnectionOwner() = default;
};

// Shared by the connections of one front, and outlives them.
struct ConnectionContext {
  asio::io_context& loop;
  const FrontOptions& options;
  Handler& handler;
  Metrics& metrics;
  ConnectionOwner& owner;
  std::string scratch;  // All of them read into it, so that an idle connection owns no buffer.
};

// Requests are taken one at a time, so pipelined ones are answered in order. While one is in progress the
// socket is not read, and TCP slows the client down. A client that half-closes after its request still gets
// its answer. If a body does not arrive together with its head, the handler is asked first, so that a client
// without a token takes no room for a body. token takes no room for a body.
//
// Threads:   the front loop's.
// Ownership: the front holds it until forget(); a pending wait holds it a little longer.
//            The context outlives it.
// Limits:    FrontOptions. A request that passes one is refused, and its connection ends.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  // Takes over `socket`, which is connected and does not block. `peer` is the address of its other end.
  Connection(ConnectionContext& context, std::uint64_t id, int socket, const IpAddress& peer);

  void start();
  // Sends the answer to the request in progress, or hands the socket to its stream.
  void finish(Answer answer);
  // The same for a reply that does not come from the engine.
  void finish(Reply reply);
  // Continues `request`, whose body has not come, or sends the `answer` that refuses it.
  void on_head_checked(Request request, Answer answer);
  // True if the client has let its deadline pass. Nothing is due while a request is in progress.
  bool is_due(Clock::time_point now) const {
    return now >= deadline_ && state_ != State::kBusy && state_ != State::kChecking;
  }
  // Ends a connection that is due: with a 408 in the middle of a request, silently otherwise.
  void expire();
  void close();
  // True if no request and no answer is in progress.
  bool is_between() const { return is_collecting() || state_ == State::kLingering; }

  std::uint64_t id() const { return id_; }
  // The network that is charged for its memory; "::" is nobody's.
  const IpAddress& network() const { return network_; }
  // True if it holds memory for as long as its client wants.
  bool may_give_way() const { return charged_ > 0 && (is_collecting() || state_ == State::kSending); }
  // The pace of the incoming request, or of the outgoing answer.
  double bytes_per_second(Clock::time_point now) const { return pace_.bytes_per_second(now); }
  void fade(Clock::time_point now) { pace_.fade(now); }
  // Gives its memory up because of a passed limit. `is_for_others` is false if its own last bytes passed it.
  void give_way(RequestBudget::Excess excess, bool is_for_others = true);

  // True if it is idle between requests, or silent for a second since it connected: it may be closed when
  // descriptors run out.
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
  void refuse_head(Refusal refusal, std::string_view text);
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
  IpAddress network_;  // It is charged for charged_.
  State state_ = State::kIdle;
  bool is_waiting_ = false;   // A wait for readability is pending.
  bool is_taking_ = false;    // take() is on the stack and will take the rest.
  bool closes_ = false;       // The connection ends after the present answer.
  bool is_new_ = true;        // Nothing was answered yet.
  bool is_blocked_ = false;   // The client takes no more of output_ for now.
  bool has_dropped_ = false;  // Bytes after the request in progress were dropped.
  bool is_continue_due_ = false;
  std::uint32_t scanned_ = 0;
  std::uint32_t head_bytes_ = 0;  // Memory of the head that collecting_ holds.
  std::size_t charged_ = 0;       // Memory that the front counts for this connection.
  std::size_t away_bytes_ = 0;    // Memory of a request that is with the pool or waits for its reply.
  std::size_t sent_ = 0;
  Clock::time_point deadline_;
  RequestPace pace_;  // The pace of the incoming request, or of the outgoing answer.
  std::string held_;  // Bytes that were read but not taken yet.
  std::string output_;
  Delivery delivery_;  // The delivery of the answer to the request in progress.
  // Exists only while a request is being collected.
  struct Collecting {
    Request request;
    ChunkDecoder chunks;
  };
  std::unique_ptr<Collecting> collecting_;
};

}  // namespace weir
