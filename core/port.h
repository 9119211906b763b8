#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/core/model.h"
#include "sluice/core/payload.h"

namespace sluice {

// What is known of a tensor before the run: of one item, no batch axis.
struct TensorType {
  std::optional<DType> dtype;
  std::optional<std::vector<Dim>> dims;  // absent: rank not known
  std::string layout;                    // a letter an axis, "chw"; empty: not said

  std::string to_string() const;  // "f32 [3,48,W] chw"
};

using Metadata = std::map<std::string, std::string>;

// The type of a port: a payload type, and for tensors what is known of their shape.
struct PortType {
  const PayloadType* payload = nullptr;  // never null in a resolved port
  std::optional<TensorType> tensor;
  std::shared_ptr<const Metadata> metadata;  // of the model an output came from; may be null

  template <class T>
  static PortType of() {
    return {&payload_type<T>(), std::nullopt, nullptr};
  }
  bool is_any() const;
  std::string to_string() const;  // "Image", "[Quad]", "Tensor f32 [3,224,224] chw"
};

// Why an output of type `from` does not fit an input of type `to`; ok where it does.
// A dim that is not known on either side fits; `axis` of the message names the dimension that differs.
Status check_fits(const PortType& from, const PortType& to);

// A port of a node in a plan.
struct PortDecl {
  std::string name;
  std::string doc;
  PortType type;
  bool optional = false;  // an input that may stay unwired, an output that may stay unread
  bool many = false;      // an output that gives any number of packets an item: it opens a scope
  bool closes_scope = false;  // an input that gathers: the node's outputs are in the scope around
};

// A port as a node class declares it: a constant of the class. `index` is its place among the node's
// declared inputs or outputs, set by Spec::ports.
class PortConstant {
 public:
  PortConstant(std::string name, std::string doc, PortType type)
      : decl_{std::move(name), std::move(doc), std::move(type)} {}
  const PortDecl& decl() const { return decl_; }
  const std::string& name() const { return decl_.name; }
  std::size_t index() const { return index_; }

 protected:
  PortDecl decl_;

 private:
  friend class Spec;
  mutable std::size_t index_ = 0;
};

template <class T>
struct PortPayload {
  static const PayloadType& type() { return payload_type<T>(); }
};
template <class T>
struct PortPayload<List<T>> {
  static const PayloadType& type() { return list_of(PortPayload<T>::type()); }
};

// An input that takes T: `inline static const In<Image> image{"image", "the picture to scale"};`
template <class T>
class In : public PortConstant {
 public:
  In(std::string name, std::string doc)
      : PortConstant(std::move(name), std::move(doc), {&PortPayload<T>::type(), std::nullopt, nullptr}) {}
  // May stay unwired.
  In optional() const {
    In copy = *this;
    copy.decl_.optional = true;
    return copy;
  }
  // Gathers: the node's outputs are in the scope around the input's. For flow nodes.
  In closes_scope() const {
    In copy = *this;
    copy.decl_.closes_scope = true;
    return copy;
  }
};

// An output that gives T.
template <class T>
class Out : public PortConstant {
 public:
  Out(std::string name, std::string doc)
      : PortConstant(std::move(name), std::move(doc), {&PortPayload<T>::type(), std::nullopt, nullptr}) {}
  // May stay unread, and then costs nothing.
  Out optional() const {
    Out copy = *this;
    copy.decl_.optional = true;
    return copy;
  }
  // Gives any number of packets an item, each a child of it: the port opens a scope.
  Out many() const {
    Out copy = *this;
    copy.decl_.many = true;
    return copy;
  }
};

}  // namespace sluice
