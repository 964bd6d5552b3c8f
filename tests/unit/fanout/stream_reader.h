// The other end of a client's socket: reads as much or as little as a test wants, and takes the stream apart.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct ReceivedEvent {
  std::string id;  // Of this very block; empty if it has none.
  std::string type;
  std::string data;
  std::string comment;  // Its lines, joined by LF.
  std::string retry;
  bool is_dispatched() const { return !data.empty() || has_data; }
  bool has_data = false;
};

// A connected pair of sockets with small buffers, so that a reader that stops is soon felt.
class StreamReader {
 public:
  // `is_chunked`: the body is in HTTP chunks.
  explicit StreamReader(bool is_chunked = true);
  ~StreamReader();
  StreamReader(StreamReader&& other) noexcept;
  StreamReader& operator=(StreamReader&&) = delete;

  // The gateway's end; it owns it.
  int take_socket();
  // Reads what is there, at most `bytes_max`. Returns how much it was.
  std::size_t read(std::size_t bytes_max);
  void close();

  bool is_closed() const { return is_closed_; }  // The gateway has closed, and all was read.
  bool has_last_chunk() const { return has_last_chunk_; }
  const std::string& head() const { return head_; }
  // Whole blocks so far, in order. Asserts that the framing is right.
  const std::vector<ReceivedEvent>& events() const { return events_; }
  // The id that an EventSource would send when it comes back.
  const std::string& last_event_id() const { return last_event_id_; }

 private:
  void take_apart();
  void take_block(std::string_view block);

  const bool is_chunked_;
  int gateway_ = -1;
  int mine_ = -1;
  bool is_closed_ = false;
  bool has_last_chunk_ = false;
  bool has_head_ = false;
  std::string raw_;   // Not taken apart yet.
  std::string body_;  // Out of the chunks, no whole block yet.
  std::string head_;
  std::vector<ReceivedEvent> events_;
  std::string last_event_id_;
};

}  // namespace weir
