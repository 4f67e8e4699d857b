"""tf.train.Example without TensorFlow: the named values of one example as bytes, and back.

Each name has one value: a number (int64), a text (as UTF-8), bytes, or a list of numbers.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

Value = int | str | bytes | list[int]


def encode_features(values: Mapping[str, Value]) -> bytes:
    """Returns the serialized tf.train.Example: deterministic bytes."""
    example = _EXAMPLE()
    for name, value in values.items():
        feature = example.features.feature[name]
        if isinstance(value, int):
            feature.int64_list.value.append(value)
        elif isinstance(value, list):
            feature.int64_list.value.extend(value)
        else:
            feature.bytes_list.value.append(value.encode() if isinstance(value, str) else value)
    return bytes(example.SerializeToString(deterministic=True))


def decode_features(serialized: bytes, types: Mapping[str, Any]) -> dict[str, Any]:
    """Parses what `encode_features` wrote, or TensorFlow.

    Args:
      serialized: one tf.train.Example.
      types: name -> int, str, bytes or list[int]. Features of other names are passed over.

    Raises:
      ValueError: it is no such example; says which feature is missing, or of another type.
    """
    try:
        features = _EXAMPLE.FromString(serialized).features.feature
    except message.DecodeError as error:
        raise ValueError("a record is no tf.train.Example") from error
    return {name: _decode(name, features[name], kind) for name, kind in types.items()}


def read_features(serialized: bytes) -> dict[str, list[int] | list[float] | list[bytes]]:
    """Parses an example of which nothing is known: feature name -> its values.

    Raises:
      ValueError: it is none.
    """
    try:
        features = _EXAMPLE.FromString(serialized).features.feature
    except message.DecodeError as error:
        raise ValueError("a record is no tf.train.Example") from error
    return {
        name: list(getattr(feature, kind).value)
        for name, feature in features.items()
        if (kind := feature.WhichOneof("kind")) is not None
    }


def _decode(name: str, feature: Any, kind: Any) -> Value:
    if kind == list[int]:
        return list(feature.int64_list.value)
    values = (feature.int64_list if kind is int else feature.bytes_list).value
    if len(values) != 1:
        raise ValueError(f"an example has {len(values)} values of {name}, {kind.__name__}, not one")
    value: Value = values[0]
    return value.decode() if kind is str and isinstance(value, bytes) else value


def _example_class() -> Any:
    """Builds tf.train.Example's message class in a pool of its own.

    A private pool can live beside TensorFlow, which registers the same names in the
    default one.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="litesmith/example.proto", package="tensorflow", syntax="proto3"
    )
    field = descriptor_pb2.FieldDescriptorProto
    kinds = {"Bytes": field.TYPE_BYTES, "Float": field.TYPE_FLOAT, "Int64": field.TYPE_INT64}
    for kind, type_ in kinds.items():
        message = file.message_type.add(name=f"{kind}List")
        message.field.add(name="value", number=1, type=type_, label=field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, kind in enumerate(kinds, start=1):
        feature.field.add(
            name=f"{kind.lower()}_list",
            number=number,
            type=field.TYPE_MESSAGE,
            type_name=f".tensorflow.{kind}List",
            label=field.LABEL_OPTIONAL,
            oneof_index=0,
        )
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    entry.field.add(
        name="value",
        number=2,
        type=field.TYPE_MESSAGE,
        type_name=".tensorflow.Feature",
        label=field.LABEL_OPTIONAL,
    )
    features.field.add(
        name="feature",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".tensorflow.Features.FeatureEntry",
        label=field.LABEL_REPEATED,
    )
    example = file.message_type.add(name="Example")
    example.field.add(
        name="features",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".tensorflow.Features",
        label=field.LABEL_OPTIONAL,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


_EXAMPLE = _example_class()
