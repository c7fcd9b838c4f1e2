"""Converts Kokoro's model for OpenVINO, at set-up: builds its decoder anew in floating point, and cuts off the rest.

The published model is quantized to 8-bit integers for ONNX Runtime, whose integer convolutions are slow, and in a form
that OpenVINO cannot read. Nearly all of the work is in the decoder, a convolutional network (ISTFTNet, as in StyleTTS
2): that is built again from its weights; the rest stays as it is. The decoder has the form that was quickest. CPU time
for 2.7 s of speech, front and tail included, on a Xeon with AMX:

- 1.7 s in ONNX Runtime, as published; 0.87 s in OpenVINO with bfloat16, operation by operation as published;
- 0.51 s with a polynomial for the sine in the activations, and without transposed convolutions: OpenVINO has neither a
  quick sine nor a quick transposed convolution;
- 0.43 s in four dimensions, one of them empty: its normalisation of three wants the samples in another order than its
  convolutions, and reorders them each time;
- 0.34 s with chains of single steps, which it fuses, and with the style computed by convolutions.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor

ROOT = "/decoder/decoder/"
STYLE = "/decoder/Slice_output_0"  # the half of the style that the decoder goes by: (1, 128)
TEXT = "/encoder/MatMul_1_output_0"  # (1, 512, frames of 25 ms)
PITCH = "/encoder/Reshape_output_0"  # (1, 2 * frames)
LOUDNESS = "/encoder/Reshape_1_output_0"  # (1, 2 * frames)
SOURCE = f"{ROOT}generator/Concat_3_output_0"  # magnitudes and phases of the glottal source: (1, 22, 120 * frames + 1)
SPECTRUM = f"{ROOT}generator/conv_post/Conv_output_0"  # (1, 22, 120 * frames + 1)
INPUTS = (STYLE, TEXT, PITCH, LOUDNESS, SOURCE)
SHAPES: dict[str, list[int | str]] = {
    STYLE: [1, 128],
    TEXT: [1, 512, "frames"],
    PITCH: [1, "half_frames"],
    LOUDNESS: [1, "half_frames"],
    SOURCE: [1, 22, "hops"],
    SPECTRUM: [1, 22, "hops"],
}
OPSET = 20
IR_VERSION = 9
KINDS = ("Conv_quant", "Conv", "ConvTranspose")  # what the published model calls a convolution
NORM_EPSILON = 1e-5
# sin²(πu) = C ((u² + A)² + B)² + D for |u| <= 1/2, within 0.0007: a chain of single steps, which OpenVINO can fuse.
SINE_A, SINE_B, SINE_C, SINE_D = -0.64902546, -0.15727621, -14.36015527, 1.00071569

Floats = NDArray[np.float32]


def convert(folder: Path) -> None:
    """Make front.onnx, decoder.onnx and tail.onnx out of model.onnx in `folder`: the same bytes every time."""
    model = onnx.load(folder / "model.onnx")
    for name, shape in SHAPES.items():
        for known in [info for info in model.graph.value_info if info.name == name]:
            model.graph.value_info.remove(known)
        model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    cut = Extractor(model)
    published = [value.name for value in model.graph.input]
    _save(cut.extract_model(published, list(INPUTS)), folder / "front.onnx")
    _save(_decoder(model), folder / "decoder.onnx")
    _save(cut.extract_model([SPECTRUM], [model.graph.output[0].name]), folder / "tail.onnx")


def _save(model: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString(deterministic=True))


class _Weights:
    """The weights of the published model as floats, by the path of the layer that they belong to."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._values = {each.name: each for each in model.graph.initializer}
        self._nodes = {node.name.removeprefix(ROOT): node for node in model.graph.node}

    def named(self, name: str) -> NDArray[Any]:
        return numpy_helper.to_array(self._values[name])

    def layer(self, path: str, what: str) -> Floats:
        return self.named(_layer(path, what))

    def has_bias(self, path: str) -> bool:
        return _layer(path, "bias") in self._values

    def style(self, path: str) -> Floats:
        """What turns a style into two numbers for each channel: (128, 2 * channels)."""
        return self._dequantized(f"{path}/fc/Gemm_MatMul_quant")

    def convolution(self, path: str) -> tuple[Floats, dict[str, Any]]:
        """The weight of a convolution, and its attributes."""
        node = next(self._nodes[f"{path}/{kind}"] for kind in KINDS if f"{path}/{kind}" in self._nodes)
        form = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        quantized = node.op_type == "ConvInteger"
        return self._dequantized(f"{path}/Conv_quant") if quantized else self.named(node.input[1]), form

    def _dequantized(self, name: str) -> Floats:
        _, quantized, _, zero = self._nodes[name].input
        scale = self.named(f"{quantized.removesuffix('_quantized')}_scale")
        steps = self.named(quantized).astype(np.float32) - self.named(zero).astype(np.float32)
        return np.asarray(steps * scale, np.float32)


def _layer(path: str, what: str) -> str:
    return f"decoder.decoder.{path.replace('/', '.')}.{what}"


class _Graph:
    """A graph that grows node by node; what its methods take and give are names of tensors.

    What goes through is (1, channels, 1, length).
    """

    def __init__(self, weights: _Weights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        output = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value: Any, kind: type = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def weight(self, value: Floats) -> str:
        """A constant that is stored in half precision: 11 bits, for weights that had 8."""
        return self.add("Cast", self.constant(value, np.float16), to=TensorProto.FLOAT)

    def joined(self, *inputs: str) -> str:
        return self.add("Concat", *inputs, axis=1)

    def flat(self, x: str, *axes: int) -> str:
        return self.add("Unsqueeze", x, self.constant(axes, np.int64))

    def conv(self, x: str, path: str, kind: str = "Conv", **more: Any) -> str:
        weight, form = self.weights.convolution(path)
        constants, place = [self.weight(weight[:, :, None])], path.removeprefix("asr_res/")
        if self.weights.has_bias(place):
            constants.append(self.constant(self.weights.layer(place, "bias")))
        left, right = form["pads"]
        more |= {key: [1, *form[key]] for key in ("kernel_shape", "strides", "dilations")}
        return self.add(kind, x, *constants, pads=[0, left, 0, right], group=form["group"], **more)

    def upsampled(self, x: str, path: str) -> str:
        """A transposed convolution as an ordinary one, which runs in the processor's matrix unit.

        Its kernel is twice as long as its stride, so that each output is made of two inputs. All outputs between two
        inputs come side by side in the channels, and are then strung out.
        """
        weight, form = self.weights.convolution(path)
        (stride,), (left, right) = form["strides"], form["pads"]
        incoming, channels, _ = weight.shape
        bias = np.tile(self.weights.layer(path, "bias"), stride)
        pair = np.stack((weight[:, :, stride:], weight[:, :, :stride]), axis=-1)  # the input before, and the one here
        kernel = pair.transpose(2, 1, 0, 3).reshape(stride * channels, incoming, 1, 2)
        wide = self.add("Conv", x, self.weight(kernel), self.constant(bias), pads=[0, 1, 0, 1])
        rows = self.add("Transpose", wide, perm=[0, 2, 3, 1])
        strung = self.add("Reshape", rows, self.constant([1, 1, -1, channels], np.int64))
        columns = self.add("Transpose", strung, perm=[0, 3, 1, 2])
        ends = [self.constant([place], np.int64) for place in (left, -right, 3)]
        return self.add("Slice", columns, *ends)

    def leaky(self, x: str, slope: float) -> str:
        return self.add("LeakyRelu", x, alpha=slope)

    def styled(self, x: str, path: str) -> str:
        """Adaptive instance normalisation: mean and variance over time become what the style wants."""
        weight, bias = self.weights.style(path), self.weights.layer(path, "fc.bias")
        channels = len(bias) // 2
        ones, zeros = self.constant(np.ones(channels)), self.constant(np.zeros(channels))
        x = self.add("InstanceNormalization", x, ones, zeros, epsilon=NORM_EPSILON)
        # Two products: after a Split of one, OpenVINO does not fuse what follows.
        scale = self._of_style(weight[:, :channels], 1 + bias[:channels])
        shift = self._of_style(weight[:, channels:], bias[channels:])
        return self.add("Add", self.add("Mul", x, scale), shift)

    def _of_style(self, weight: Floats, bias: Floats) -> str:
        """A product as a convolution, whose output OpenVINO lays out like that of the others: nothing to reorder."""
        style = self.flat(STYLE, 2, 3)
        return self.add("Conv", style, self.weight(weight.T[:, :, None, None]), self.constant(bias))

    def snake(self, x: str, alpha: Floats) -> str:
        """x + sin²(alpha * x) / alpha. Turns are rounded off first, so that all that is left is a half each way."""
        turns = self.constant(alpha / np.pi)
        whole = self.add("Round", self.add("Mul", x, turns))
        part = self.add("Sub", self.add("Mul", x, turns), whole)
        for shift in (0.0, SINE_A, SINE_B):
            moved = self.add("Add", part, self.constant(shift)) if shift else part
            part = self.add("Pow", moved, self.constant(2))
        scaled = self.add("Add", self.add("Mul", part, self.constant(SINE_C / alpha)), self.constant(SINE_D / alpha))
        return self.add("Add", scaled, x)

    def resblock(self, x: str, path: str) -> str:
        """Three times two convolutions, each after a normalisation and an activation, around what goes straight on."""
        for turn in range(3):
            inner = x
            for half in (1, 2):
                alpha = self.weights.layer(path, f"alpha{half}.{turn}")[..., None]
                inner = self.snake(self.styled(inner, f"{path}/adain{half}.{turn}"), alpha)
                inner = self.conv(inner, f"{path}/convs{half}.{turn}")
            x = self.add("Add", inner, x)
        return x

    def block(self, x: str, path: str, doubled: bool = False) -> str:
        """A residual block before the generator; `doubled` makes two frames of each."""
        inner = self.leaky(self.styled(x, f"{path}/norm1"), 0.2)
        if doubled:
            inner = self.conv(inner, f"{path}/pool", "ConvTranspose", output_padding=[0, 1])
            twice = self.constant([1, 1, 1, 2])
            x = self.add("Resize", x, "", twice, mode="nearest", coordinate_transformation_mode="asymmetric")
        inner = self.conv(inner, f"{path}/conv1")
        inner = self.conv(self.leaky(self.styled(inner, f"{path}/norm2"), 0.2), f"{path}/conv2")
        both = self.add("Add", inner, self.conv(x, f"{path}/conv1x1"))
        return self.add("Mul", both, self.constant(0.5**0.5))


def _decoder(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = _Graph(_Weights(model))
    pitch, loudness = graph.conv(graph.flat(PITCH, 1, 2), "F0_conv"), graph.conv(graph.flat(LOUDNESS, 1, 2), "N_conv")
    text = graph.flat(TEXT, 2)
    x = graph.block(graph.joined(text, pitch, loudness), "encode")
    residue = graph.conv(text, "asr_res/asr_res.0")
    for number in range(4):
        x = graph.block(graph.joined(x, residue, pitch, loudness), f"decode.{number}", doubled=number == 3)
    x = graph.conv(graph.leaky(_generated(graph, x), 0.01), "generator/conv_post")
    graph.add("Squeeze", x, graph.constant([2], np.int64), name=SPECTRUM)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPES[name]) for name in INPUTS]
    output = helper.make_tensor_value_info(SPECTRUM, TensorProto.FLOAT, SHAPES[SPECTRUM])
    whole = helper.make_graph(graph.nodes, "decoder", inputs, [output], graph.constants)
    made = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(made)
    return made


def _generated(graph: _Graph, x: str) -> str:
    """From frames to hops of 5 samples, in two steps; the source joins in at each."""
    source = graph.flat(SOURCE, 2)
    for step in range(2):
        x = graph.upsampled(graph.leaky(x, 0.1), f"generator/ups.{step}")
        if step == 1:
            x = graph.add("Pad", x, graph.constant([0, 0, 0, 1, 0, 0, 0, 0], np.int64), mode="reflect")
        joining = graph.conv(source, f"generator/noise_convs.{step}")
        x = graph.add("Add", x, graph.resblock(joining, f"generator/noise_res.{step}"))
        first, second, third = (graph.resblock(x, f"generator/resblocks.{3 * step + n}") for n in range(3))
        x = graph.add("Mul", graph.add("Add", graph.add("Add", first, second), third), graph.constant(1 / 3))
    return x
