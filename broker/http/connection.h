// One client's connection on the front: collects a request, waits for its answer, sends it, and begins again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "broker/http/chunks.h"
#include "broker/http/engine.h"
#include "broker/http/lazy_socket.h"
#include "broker/http/request.h"

namespace weir {

class Front;

// On the front loop only. Requests of one connection are taken one at a time, so pipelined ones are answered
// in order; while one is in progress the socket is not read, and TCP slows the client down. A client that
// half-closes after its request still gets its answer.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  // `socket` is connected and does not block.
  Connection(Front& front, std::uint64_t id, int socket, const IpAddress& peer);

  void start();
  // The answer to the request in progress.
  void finish(Answer answer);
  // The same for a reply that does not come from the engine.
  void finish(Reply reply);
  // True if what it waits for is overdue; expire() then ends it. Nothing is due while a request is in
  // progress.
  bool is_due(Clock::time_point now) const { return now >= deadline_ && state_ != State::kBusy; }
  void expire();
  void close();
  // No request is in progress, and no answer under way.
  bool is_between() const { return is_collecting() || state_ == State::kLingering; }
  // Waits for a next request, or for so long for its first one that it may be none that matters.
  bool is_idle(Clock::time_point now) const;

 private:
  enum class State : std::uint8_t { kIdle, kHead, kBody, kBusy, kSending, kLingering, kClosed };

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
  void send_continue();
  void dispatch();
  void open_stream(Answer answer);
  void refuse(Refusal refusal);
  void send_more();
  void on_sent();
  void linger();
  bool charge();
  void set_deadline(std::chrono::milliseconds timeout);

  Front& front_;
  const std::uint64_t id_;
  LazySocket socket_;
  const IpAddress peer_;
  State state_ = State::kIdle;
  bool is_waiting_ = false;  // A wait for readability is pending.
  bool is_taking_ = false;   // take() is on the stack, and goes on with what is left.
  bool closes_ = false;      // After the answer that is being sent.
  bool is_new_ = true;       // Nothing was answered yet.
  std::uint32_t scanned_ = 0;
  std::size_t charged_ = 0;
  std::size_t sent_ = 0;
  Clock::time_point deadline_;
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
